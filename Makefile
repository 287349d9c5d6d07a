# swift-omni: `make serve` and `make test` do the whole set-up on a bare machine; each step is quick when nothing changed.
# After any of them plain `swift build` and `swift test` work by themselves.

SHELL := /bin/bash
.DEFAULT_GOAL := help
OMNI_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/swift-omni
RELEASE := .build/release/omni

# Arguments for the server: make serve ARGS="--port 9000 my-model.gguf"
ARGS ?=

.PHONY: help setup serve build release test test-full dist bench clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="…" is handed to `omni serve`; OMNI_NATIVE_FLAGS="-DGGML_CUDA=ON" to the native build.'

setup: ## System packages, native libraries, the packages that carry the starter models
	@bash scripts/system.sh
	@bash scripts/models.sh & downloads=$$!; \
	for part in native sherpa whisper; do bash scripts/$$part.sh || { kill $$downloads; exit 1; }; done; \
	wait $$downloads

serve: release ## Set up, build, and serve the starter models on port 8091 (ARGS="…")
	@exec $(RELEASE) serve $(ARGS)

build: setup ## Set up and build for development
	swift build
	@bash scripts/models.sh --install .build/debug/omni
	@bash scripts/check-kernels.sh .build/debug/omni || echo 'Broken kernels: see above. Workers that die of them start again on plain ones.' >&2

release: setup ## Set up and build the release binary
	swift build -c release --product omni
	@bash scripts/models.sh --install $(RELEASE)
	@bash scripts/check-kernels.sh $(RELEASE) || echo 'Broken kernels: see above. Workers that die of them start again on plain ones.' >&2

test: setup ## Set up and run every test: Swift, then the contract tests through the OpenAI client
	@bash scripts/lint.sh
	swift build --build-tests
	@bash scripts/models.sh --install .build/debug/omni
	@bash scripts/check-kernels.sh .build/debug/omni --again
	@bash scripts/tidily.sh swift test --skip-build --disable-xctest
	@OMNI_TEST_ALONE=1 bash scripts/tidily.sh swift test --skip-build --disable-xctest --no-parallel --filter 'OmniMediaTests.*FaultTests'
	@bash scripts/contract.sh

test-full: test ## The tests again under the sanitizers, and the long ones (soak, faults, packages)
	TSAN_OPTIONS="suppressions=$(CURDIR)/scripts/tsan.supp" swift test --disable-xctest --sanitize=thread --scratch-path .build-tsan
	ASAN_OPTIONS=detect_leaks=0 swift test --disable-xctest --sanitize=address --scratch-path .build-asan --filter OmniDiffusionTests
	OMNI_TEST_FULL=1 swift test --skip-build --disable-xctest
	@OMNI_TEST_FULL=1 bash scripts/contract.sh
	@bash scripts/sdk-sample.sh
	@[ "$$(uname -s)" != Linux ] || bash Tools/sdk/apple/check.sh
	@[ "$$(uname -s)" != Linux ] || { bash scripts/dist.sh && bash scripts/dist-check.sh; }
	@[ "$$(uname -sm)" != "Linux x86_64" ] || { bash Tools/kernels/arm64.sh && bash Tools/kernels/emulate.sh; }

dist: ## Pack the program for machines without a toolchain: dist/*.tar.gz, *.deb, install.sh
	@bash scripts/dist.sh

bench: release ## Every Benchmarks/*/run, against llama-server from the same source
	@server="$$(bash scripts/native.sh --server)" || exit 1; \
	for script in Benchmarks/*/run; do \
		[ -x "$$script" ] || continue; \
		echo "==> $$script" >&2; \
		OMNI_BIN="$(CURDIR)/$(RELEASE)" LLAMA_SERVER="$$server" "$$script" $(ARGS) || exit 1; \
	done

clean: ## Remove what was built in this checkout
	rm -rf .build .build-tsan .build-asan .build-dist dist
	@for link in deps deps-sherpa deps-whisper deps-portable deps-whisper-portable; do [ ! -L $$link ] || rm $$link; done

distclean: clean ## Remove the shared cache of native builds too (models stay)
	rm -rf "$(OMNI_CACHE)"
