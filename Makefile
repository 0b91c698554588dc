# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# buf, golangci-lint and govulncheck live in a module of their own: buf needs another protobuf.
tool = go tool -modfile=tools/go.mod
against ?= $(shell git rev-parse --verify --quiet origin/main >/dev/null && echo origin/main || echo main)

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run everything with a fake WeChat.
	go run . dev

.PHONY: build
build: ## Build bin/wxgate, static.
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/wxgate .

.PHONY: test
test: ## Run the tests.
	go test ./...

.PHONY: check
check: format vet lint vulnerabilities proto-check tidy-check race test ## Run all that CI runs, except bench-short and the containers.

.PHONY: format
format: ## Fail if gofmt would change a file.
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "gofmt: $$files" >&2; exit 1; }

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: ## Run golangci-lint and buf lint.
	$(tool) golangci-lint run
	$(tool) buf lint

.PHONY: vulnerabilities
vulnerabilities: ## Fail if the code calls a function with a known vulnerability. Without https://vuln.go.dev nothing is checked.
	@if curl -sfo /dev/null --max-time 10 https://vuln.go.dev/index/db.json; then $(tool) govulncheck ./...; \
	else echo 'govulncheck: https://vuln.go.dev is unreachable: vulnerabilities are not checked' >&2; fi

.PHONY: generate
generate: ## Regenerate Go and OpenAPI from the .proto files.
	$(tool) buf generate

.PHONY: proto-check
proto-check: generate ## Fail if generated code is stale, or the contracts break those of main.
	@git diff --exit-code --stat -- proto internal/rest gateway/openapi.swagger.json || { echo 'generated code is stale: make generate' >&2; exit 1; }
	@if git cat-file -e $(against):buf.yaml 2>/dev/null; then $(tool) buf breaking --against '.git#ref=$(against)'; fi

.PHONY: tidy-check
tidy-check: ## Fail if go.mod is not tidy.
	go mod tidy -diff

.PHONY: race
race: ## Run the tests with the race detector, except test/: its processes run without the detector.
	go test -race $$(go list ./... | grep -v '/test\(/\|$$\)')

# The duration of the chaos run, and its minimum of messages.
lasts ?= 10m
messages ?= 100000

.PHONY: chaos
chaos: ## Break real processes for 10 minutes under load (lasts=, messages=), and count lost messages.
	WXGATE_CHAOS=$(lasts) WXGATE_CHAOS_MESSAGES=$(messages) go test ./test/chaos -run '^TestChaos$$' -count 1 -timeout 30m -v

.PHONY: bench
bench: ## Measure the cost of a callback, beside bare counterparts; takes minutes.
	go run ./bench

.PHONY: bench-short
bench-short: ## The same in seconds: checks the answers; the figures mean little.
	go run ./bench -short

.PHONY: microbench
microbench: ## Run the micro-benchmarks.
	go test -run xxx -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz test for 30 seconds.
	@for package in $$(go list ./...); do \
	  for test in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    go test -run xxx -fuzz "^$$test$$" -fuzztime 30s $$package; done; done

.PHONY: containers
containers: ## Start docker-compose.yml with a fake WeChat, test it, stop it.
	test/compose.sh

.PHONY: scale
scale: ## Start several replicas, kill one after the other while messages are sent, count the answers.
	test/compose.sh scale
