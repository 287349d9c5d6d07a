/// The names. A flag belongs here when leaving it out gives the same answers: it places work on GPUs, tunes kernels, chooses a
/// format that the model's files settle here, or switches on what is always on.
extension VLLMFlags {
    static let table: [String: Values] = {
        var table: [String: Values] = [:]
        for name in switches.split(whereSeparator: \.isWhitespace) { table["--\(name)"] = Values.none }
        for name in valued.split(whereSeparator: \.isWhitespace) { table["--\(name)"] = .one }
        table["--middleware"] = .one
        table["--cudagraph-capture-sizes"] = .many
        table["--cuda-graph-sizes"] = .many
        table["--language-model-only"] = Values.none
        table["--enable-expert-parallel"] = Values.none
        return table
    }()

    static let shortForms: [String: Values] = [
        "-tp": .one, "-pp": .one, "-dp": .one, "-dpn": .one, "-dpr": .one, "-dpl": .one, "-dpa": .one, "-dpp": .one,
        "-ep": .none, "-q": .one, "-cc": .one, "-O": .one, "-O0": .none, "-O1": .none, "-O2": .none, "-O3": .none,
        "-asc": .one,
    ]

    private static let switches = """
        trust-remote-code enforce-eager enable-prefix-caching enable-chunked-prefill enable-auto-tool-choice
        disable-log-requests disable-log-stats enable-log-requests enable-log-outputs disable-uvicorn-access-log
        disable-custom-all-reduce disable-sliding-window disable-cascade-attn disable-frontend-multiprocessing
        disable-async-output-proc use-v2-block-manager multi-step-stream-outputs enable-reasoning enable-sleep-mode
        enable-dbo enable-eplb enable-ep-weight-filter async-scheduling disable-hybrid-kv-cache-manager calculate-kv-scales
        ray-workers-use-nsight enable-prompt-embeds enable-mm-embeds disable-mm-preprocessor-cache interleave-mm-strings
        skip-tokenizer-init generation-config-override enable-server-load-tracking enable-force-include-usage
        enable-prompt-tokens-details enable-tokenizer-info-endpoint disable-tqdm use-tqdm-on-load kv-sharing-fast-prefill
        log-stats async-chunk step-execution enable-cpu-offload enable-layerwise-offload
        enable-diffusion-pipeline-profiler enable-ar-profiler use-hsdp headless enable-multithread-weight-load
        data-parallel-hybrid-lb data-parallel-external-lb enable-return-routed-experts return-tokens-as-token-ids
        fully-sharded-loras no-guardrails enable-flashinfer-autotune enable-cumem-allocator enable-omni-batching enable-request-id-headers
        """

    private static let valued = """
        tensor-parallel-size pipeline-parallel-size data-parallel-size data-parallel-rank data-parallel-size-local
        data-parallel-start-rank data-parallel-address data-parallel-rpc-port data-parallel-backend prefill-context-parallel-size
        decode-context-parallel-size expert-parallel-size all2all-backend distributed-executor-backend distributed-timeout-seconds
        max-parallel-loading-workers worker-cls worker-extension-cls nnodes node-rank master-addr master-port numa-bind-nodes
        gpu-memory-utilization num-gpu-blocks-override block-size swap-space cpu-offload-gb
        kv-cache-dtype kv-offloading-size kv-offloading-backend mamba-cache-dtype mamba-ssm-cache-dtype mamba-block-size
        prefix-caching-hash-algo kv-transfer-config kv-events-config ec-transfer-config
        quantization-param-path load-format download-dir model-loader-extra-config config-format hf-config-path
        tokenizer-mode revision code-revision tokenizer-revision safetensors-load-strategy ignore-patterns model-impl
        override-attention-dtype max-seq-len-to-capture max-logprobs task runner convert
        max-num-batched-tokens max-num-partial-prefills max-long-partial-prefills long-prefill-token-threshold
        scheduling-policy scheduler-cls num-scheduler-steps scheduler-delay-factor preemption-mode stream-interval
        max-cudagraph-capture-size attention-backend attention-config compilation-config optimization-level kernel-config
        additional-config profiler-config structured-outputs-config guided-decoding-backend
        tool-call-parser tool-parser-plugin reasoning-parser reasoning-parser-plugin chat-template-content-format
        limit-mm-per-prompt mm-processor-kwargs mm-processor-cache-gb mm-processor-cache-type mm-encoder-tp-mode
        mm-shm-cache-max-object-size-mb video-pruning-rate media-io-kwargs renderer-num-workers
        uvicorn-log-level log-config-file max-log-len api-server-count disable-access-log-for-endpoints
        otlp-traces-endpoint collect-detailed-traces show-hidden-metrics-for-version
        kv-cache-metrics-sample logits-processor-pattern seed
        init-timeout stage-init-timeout deploy-config stage-configs-path stage-overrides strategy-config shm-threshold-bytes
        num-gpus model-class-name diffusion-load-format usp ulysses-degree ring ring-degree allgather-degree cfg-parallel-size
        vae-patch-parallel-size text-encoder-tp-size hsdp-shard-size hsdp-replicate-size cache-config
        request-batch-max-wait-ms vae-fast-path diffusion-offload-config diffusion-kv-cache-dtype diffusion-attention-backend
        worker-backend stage-id omni-master-address omni-master-port omni-dp-size-local omni-lb-policy omni-heartbeat-timeout
        max-cpu-loras lora-dtype ray-address robot-openpi-idle-timeout
        """

    /// Flags of vLLM that would change the answers, the model or who may ask: ignoring them would deceive, so they are refused
    /// where swift-omni has no such flag of its own.
    static let unsupported: Set<String> = Set(
        """
        chat-template response-role enable-lora lora-modules lora-path lora-scale lora-backend max-loras max-lora-rank
        lora-extra-vocab-size default-mm-loras prompt-adapters speculative-model
        num-speculative-tokens spec-method rope-scaling rope-theta hf-overrides tokenizer
        logits-processors override-pooler-config pooler-config allowed-origins allowed-methods allowed-headers
        allow-credentials ssl-keyfile ssl-certfile ssl-ca-certs ssl-cert-reqs ssl-ciphers enable-ssl-refresh root-path
        allowed-local-media-path allowed-media-domains tool-server default-sampling-params default-chat-template-kwargs task-type
        forced-aligner forced-aligner-config forced-aligner-device log-file tts-max-instructions-length
        diffusers-load-kwargs diffusers-call-kwargs custom-pipeline-args boundary-ratio flow-shift diffusion-quantization-config
        diffusion-streaming-output grpc
        """.split(whereSeparator: \.isWhitespace).map { "--\($0)" })
}
