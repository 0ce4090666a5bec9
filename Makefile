# What one does daily. DIR is the folder of images that `make bench` measures.
.PHONY: setup check test mutants bench docs docs-commands site fuzz kill
DIR ?= examples

setup: # install for development, with the hooks that check each commit
	pip install -c constraints.txt -e '.[dev]' pre-commit
	pre-commit install

check: # lint, format, types; bash .ci/run has every check, in a fresh environment
	ruff check
	ruff format --check
	mypy

test:
	pytest -n auto

mutants: # plant faults in a copy, one at a time, and report those that no test finds; half an hour, not part of CI
	nice python scripts/mutants.py --log build/mutants.txt

fuzz: # read 47,000 damaged files of all kinds, for about an hour; docs/reliability.md has the figures
	nice python scripts/fuzz.py

kill: # kill 100 runs at random moments and run them again; docs/reliability.md has the figures
	nice python scripts/kill.py

bench:
	innersr bench $(DIR) --methods bicubic,tailor --degradations bicubic,g2.0d --scales 2

docs: # check the documented commands, draw the pictures of the documents again (SinGAN learns for some minutes)
	pytest tests/test_documents.py
	mkdir -p build/docs
	innersr upscale examples/towers.png -o build/docs/towers-x2.png --compare docs/towers.webp --overwrite
	innersr inspect examples/towers.png -o docs/inspect.webp --overwrite
	innersr singan train examples/towers.png -o build/docs/towers --report docs/singan-report.webp --overwrite
	python scripts/singan_sheets.py

docs-commands: # run every command of the documents, those that take long too
	pytest -m 'docs or not docs' tests/test_documented_commands.py tests/test_guide.py

site: # build the documentation site into build/site; warnings are errors
	python -m sphinx -W --keep-going -q -b html docs build/site
