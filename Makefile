# The everyday words; the build itself is CMakeLists.txt with CMakePresets.json.
#
#   make              the command at build/tenon and the libraries beside it (release)
#   make demo         from nothing to a compiled model that is run, checked and timed
#   make test         sets up what is missing, builds, runs the quick and standard tests
#   make test-full    all tests, with the models in full size
#   make check        what CI checks besides tests: format, layers, analysis, exported names, ...
#   make bless        rewrites the golden files from what the code prints now
#   make format       runs clang-format over the tree
#   make install      PREFIX=/usr/local, DESTDIR=
#   make clean        removes the builds (build/venv stays)
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
PRESETS = dev release asan tsan ubsan rt-only

.PHONY: release dev test test-full check bless format demo install clean

release:
	cmake --preset release
	cmake --build build/release -j $(JOBS)

dev:
	cmake --preset dev
	cmake --build build/dev -j $(JOBS)

test: bootstrap-test dev
	ctest --test-dir build/dev -LE 'full|check' -j $(JOBS) --output-on-failure

test-full: bootstrap-test dev
	ctest --test-dir build/dev -LE check -j $(JOBS) --output-on-failure

check: bootstrap-check release dev
	ctest --test-dir build/dev -L check -j $(JOBS) --output-on-failure

bless: dev
	cmake --build build/dev -t bless
	git diff --stat -- tests/golden

format: bootstrap-check
	git ls-files '*.c' '*.h' | xargs clang-format-14 -i

demo: bootstrap-build release
	examples/demo/run

install: release
	DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

clean:
	rm -rf $(addprefix build/,$(PRESETS)) build/tenon build/libtenon*

bootstrap-%:
	scripts/bootstrap $*
