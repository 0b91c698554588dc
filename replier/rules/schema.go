package rules

import _ "embed"

//go:embed rules.schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of rules files. Editors use it to complete and explain keys.
func Schema() string { return schema }
