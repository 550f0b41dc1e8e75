# The verbs of the project. Each installs what it needs first.

.PHONY: run test check release deb bench format fuzz sanitize clean

## run: build and serve everything on 127.0.0.1, no configuration needed
run:
	scripts/setup build
	swift build --product baton
	.build/debug/baton serve --dev

## test: real RetroArch through the server, then all tests (SKIP_INTEROP=1 leaves the real peers out)
test:
	scripts/setup test
	swift build --build-tests
	scripts/interop/all
	scripts/test --skip-build

## check: format, warnings, file sizes, fixtures, documents, budgets
check:
	scripts/check

## release: one binary with the Swift runtime in it: .build/release/baton
release:
	scripts/setup build
	swift build -c release --static-swift-stdlib --product baton

## deb: a Debian package with the service, manual pages and completions, in .build/deb
deb: release
	scripts/setup deb
	scripts/deb

## bench: the server beside its peers; results go to docs/benchmarks.md
bench: release
	scripts/setup bench
	$(MAKE) -C Benchmarks
	python3 Benchmarks/run.py --markdown docs/benchmarks.md
	BATON_BENCH=1 swift build -c release --static-swift-stdlib --product soe-bench
	python3 Benchmarks/soe.py --markdown docs/benchmarks.md
	BATON_BENCH=1 swift build -c release --static-swift-stdlib --product lan-bench
	python3 Benchmarks/lan.py --markdown docs/benchmarks.md
	BATON_BENCH=1 swift build -c release --static-swift-stdlib --product ops-bench
	python3 Benchmarks/ops.py --markdown docs/benchmarks.md

## format: rewrite the sources in the project's format
format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests Fuzz

## fuzz: search for inputs that break wires and engines (SECONDS_EACH=60)
fuzz:
	scripts/fuzz

## sanitize: all tests under ThreadSanitizer and then AddressSanitizer
sanitize:
	scripts/setup build
	SANITIZED=1 TSAN_OPTIONS=suppressions=$(CURDIR)/scripts/tsan.supp \
		scripts/test --sanitize thread --scratch-path .build-thread
	SANITIZED=1 LSAN_OPTIONS=suppressions=$(CURDIR)/scripts/lsan.supp \
		scripts/test --sanitize address --scratch-path .build-address

clean:
	rm -rf .build .build-* Benchmarks/build
