# Everything runs in .venv, which the targets make and bring up to date by themselves. Needed: Python 3.11+, git, make
# (and node for `make interop`).

VENV    ?= .venv
EXTRAS  ?= net,bbs
INSTALL ?= -e .[$(EXTRAS)]
# where the tests are run from; .ci/run copies them away from the source, so that the installed wheel is tested
RUN_IN  ?= .
ARGS    ?=
JOBS    ?= 2
MINUTES ?= 10

BIN     := $(abspath $(VENV))/bin
# pip's own, small things: no questions, no noise
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet install
GIVEN   := pyproject.toml setup.py

.PHONY: must-show help demo test coverage check format docs bench mutants interop soak fuzz clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      a city, three residents and three services on this machine, narrated"
	@echo "make test      the tests                          make test ARGS='-k dcql'"
	@echo "make check     format, lint, spelling, types, import contracts, documentation"
	@echo "make docs      write the generated reference, build the documentation into site/"
	@echo "make format    put the code into its form"
	@echo "make coverage  the tests, with branch coverage and its floors"
	@echo "make mutants   remove checks one at a time; a test must notice   make mutants ARGS=--all"
	@echo "make interop   talk to other people's software (needs node)"
	@echo "make bench     speed, as ratios to the bare cryptography; make bench-register  the register as it grows"
	@echo "make must-show 100,000 residents issued once, on both databases, while processes are killed"
	@echo "make fuzz      strange input, for MINUTES=10        make soak  crashes, crowds, full disks, clocks (MINUTES=10)"

# --- environments: a stamp file each, so that the second run is quick -------------------------------------------------

$(VENV)/.made:
	@set -e; for each in "$$PYTHON" python3.11 python3.12 python3.13 python3.14 python3 python \
	    "$$HOME"/.pyenv/versions/3.1[1-9]*/bin/python; do \
	  if [ -n "$$each" ] && "$$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$("$$each" --version)"; "$$each" -m venv $(VENV); touch $@; exit 0; fi; done; \
	echo "make: no Python 3.11 or newer found (with venv and ensurepip); name one: make PYTHON=/path/to/python3" >&2; exit 1

$(VENV)/.run: $(GIVEN) | $(VENV)/.made
	@echo "installing cityid into $(VENV)"
	@$(PIP) $(INSTALL)
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing the test tools into $(VENV)"
	@$(BIN)/python .ci/requirements.py test >$@.in && $(PIP) -r $@.in
	@touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "installing the checkers into $(VENV)"
	@$(BIN)/python .ci/requirements.py lint docs >$@.in && $(PIP) -r $@.in
	@touch $@

# --- what people type ---------------------------------------------------------------------------------------------------

demo: $(VENV)/.run
	@$(BIN)/cityid demo $(ARGS)

test: $(VENV)/.test
	cd $(RUN_IN) && $(BIN)/python -P -m pytest -n $(JOBS) $(ARGS)

# the floors of HOUSE 9: everything but the edge, and without a gap where judgements are made
coverage: $(VENV)/.test
	cd $(RUN_IN) && $(BIN)/python -P -m pytest -n $(JOBS) --cov --cov-context=test --cov-report= $(ARGS)
	$(MAKE) coverage-floors

.PHONY: coverage-floors
coverage-floors:
	cd $(RUN_IN) && $(BIN)/coverage report --omit='*/edge/*,*/_cli/*,cli/*' --fail-under=95
	cd $(RUN_IN) && $(BIN)/coverage report --fail-under=100 --omit='*/_cli/*,cli/*' --include='*/jose/*,*/cose/*,*/bbs/*,*/formats/*,*/verifying*,*/query*,*/trust*,*/status/*,*/log/*'

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy cityid cli tests
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/python docs/_generate.py --check
	$(BIN)/zensical build --clean --strict

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.check
	$(BIN)/python docs/_generate.py
	$(BIN)/zensical build --clean --strict

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(ARGS)
	$(BIN)/python benchmarks/wallet.py

.PHONY: bench-register
bench-register: $(VENV)/.test
	$(BIN)/python benchmarks/register.py $(ARGS)

mutants: $(VENV)/.test
	$(BIN)/python -m tests.mutants $(ARGS)

interop: $(VENV)/.test
	cd tests/interop && npm ci --no-audit --no-fund --loglevel=error
	CITYID_INTEROP=1 $(BIN)/python -P -m pytest -n $(JOBS) -m interop $(ARGS)

fuzz: $(VENV)/.test
	@$(BIN)/python .ci/requirements.py fuzz >$(VENV)/.fuzz.in && $(PIP) -r $(VENV)/.fuzz.in || \
	  echo "atheris is not to be had for this Python: what is in the corpus is changed at random instead"
	PYTHONPATH=. $(BIN)/python -m tests.fuzz all $$(( 60 * $(MINUTES) ))

.PHONY: properties
properties: $(VENV)/.test
	$(BIN)/python -P -m pytest -n $(JOBS) -m property --hypothesis-profile=fuzz $(ARGS)

soak: $(VENV)/.test
	@.ci/soak-tools
	PYTHONPATH=. $(BIN)/python -m tests.soak $(MINUTES) $(ARGS)

must-show: $(VENV)/.test
	CITYID_ROWS=100000 CITYID_RECORDS=build/records $(BIN)/python -P -m pytest -q -s tests/jobs/test_many_residents.py $(ARGS)

clean:
	rm -rf build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* .mutants
