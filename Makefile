# `make` says what there is to do. Needs: cargo, python3, gcc, g++.

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help demo test spark arm bench kill allocation-sweep docs setup clean

help:
	@echo "make demo    cluster handwritten digits from Rust, C, C++ and Python; leaves build/digits.png"
	@echo "make test    run every test and check; the last line counts them"
	@echo "make spark   install Spark (456 MB; it needs Java 17) into .venv-spark, and test on it"
	@echo "make arm     test kernels and engines on 64-bit ARM, in emulation"
	@echo "make bench   time the kernels, then Kentro against the installed peers"
	@echo "make kill    kill a saving process 300 times; a whole file must be there each time"
	@echo "make allocation-sweep  refuse every allocation in turn, in every kind of model; long"
	@echo "make docs    build the Rust documentation into target/doc"
	@echo "make clean   delete everything that was built"

demo: setup
	@sh tools/demo.sh

test: setup
	@$(PYTHON) tools/check.py

spark: setup
	test -x .venv-spark/bin/python || python3 -m venv .venv-spark
	.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check \
		-r requirements-dev.txt -r requirements-spark.txt
	PATH="$(CURDIR)/.venv-spark/bin:$$PATH" .venv-spark/bin/python -m pip install --quiet \
		--no-build-isolation --disable-pip-version-check ./bindings/python
	.venv-spark/bin/python -m pytest -q bindings/python/tests/test_spark.py

arm:
	sh tools/arm.sh all

bench: setup
	cargo bench --bench nearest
	cargo build --release
	$(CC) -O3 -march=native -ffast-math -Iinclude -o target/release/one_row benches/one_row.c \
		target/release/libkentro.a -lm -lpthread -ldl
	target/release/one_row
	$(PYTHON) benches/peers/compare.py

kill:
	KENTRO_KILL_ROUNDS=300 cargo test --test files -- --nocapture killed

allocation-sweep:
	KENTRO_SWEEP=all cargo test --test c allocations -- --nocapture

docs:
	cargo doc --no-deps

setup: $(INSTALLED)

$(INSTALLED): requirements-dev.txt
	@sh tools/require.sh
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf build target $(VENV) .venv-spark
