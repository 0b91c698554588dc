package rules

import _ "embed"

//go:embed rules.schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of rules files: editors complete and explain keys by it.
func Schema() string { return schema }
