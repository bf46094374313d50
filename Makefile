# What a person types. Each installs what is missing first; see README.md.
PYTHON ?= python3
NEEDS = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "kvmweb needs Python 3.11 or later as $(PYTHON): install it, or name it with PYTHON=…" >&2; exit 1; }
SETUP = $(NEEDS); $(PYTHON) -m deploy.setup

# Every process would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lab lab-down lab-image check bench

run: ## Install what is missing and run everything in the foreground
	@$(SETUP) run && exec .venv/bin/python -m deploy.supervisor

test: ## Run every test, those with real hypervisors and browsers too
	@$(SETUP) test && exec .venv/bin/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --durations 25

lab: ## Start emulated KVM hosts and add them to the running product (LAB_HOSTS=2)
	@$(SETUP) lab && exec .venv/bin/python -m deploy.lab_product up

lab-down: ## Remove them again
	@$(SETUP) lab && exec .venv/bin/python -m deploy.lab_product down

lab-image: ## Make a small Debian cloud image and register it in the running product
	@$(SETUP) image && exec .venv/bin/python -m deploy.lab_image

check: ## Everything that can be said without running a test
	@$(SETUP) test && exec .venv/bin/python -m deploy.check

bench: ## Measure; one JSON document on stdout
	@$(SETUP) test >&2 && exec .venv/bin/python -m bench
