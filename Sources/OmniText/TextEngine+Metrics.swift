import OmniAPI
import OmniEngine

/// The engine's figures under vLLM's and vLLM-Omni's names where the meaning is the same (API.md, section 18), under
/// `omni:` where neither has one.
extension TextEngine: MeteredModel {
    private enum Families {
        static let running = MetricsRegistry.Family.gauge("vllm:num_requests_running", "Answers being computed.")
        static let waiting = MetricsRegistry.Family.gauge("vllm:num_requests_waiting", "Requests that wait for a place.")
        static let cacheUsage = MetricsRegistry.Family.gauge("vllm:kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1.")
        static let cacheConfig = MetricsRegistry.Family.gauge("vllm:cache_config_info", "How the KV cache is laid out, as labels.")
        static let prompt = MetricsRegistry.Family.counter("vllm:prompt_tokens_total", "Prompt tokens computed.")
        static let generation = MetricsRegistry.Family.counter("vllm:generation_tokens_total", "Tokens generated.")
        static let queries = MetricsRegistry.Family.counter(
            "vllm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.")
        static let hits = MetricsRegistry.Family.counter("vllm:prefix_cache_hits_total", "Prompt tokens taken from the prefix cache.")
        static let preemptions = MetricsRegistry.Family.counter(
            "vllm:num_preemptions_total", "Answers put back into the queue for want of cache.")
        static let drafts = MetricsRegistry.Family.counter("vllm:spec_decode_num_drafts_total", "Steps of an answer with guessed tokens.")
        static let draftTokens = MetricsRegistry.Family.counter(
            "vllm:spec_decode_num_draft_tokens_total", "Guessed tokens that were computed.")
        static let acceptedTokens = MetricsRegistry.Family.counter(
            "vllm:spec_decode_num_accepted_tokens_total", "Guessed tokens that came true.")
        static let success = MetricsRegistry.Family.counter("vllm:request_success_total", "Answers finished, by reason.")
        static let firstToken = histogram("vllm:time_to_first_token_seconds", "From arrival to the first token.")
        static let endToEnd = histogram("vllm:e2e_request_latency_seconds", "From arrival to the last token.")
        static let queueTime = histogram("vllm:request_queue_time_seconds", "From arrival to a place in a batch.")
        static let cancelled = MetricsRegistry.Family.counter("omni:requests_cancelled_total", "Answers ended because the client had gone.")
        static let cancelLatency = histogram("omni:cancel_latency_seconds", "From the client's leaving to the end of its work.")

        static let speaking = MetricsRegistry.Family.gauge("omni:talker_requests_running", "Answers that are spoken.")
        static let silent = MetricsRegistry.Family.gauge("omni:talker_requests_waiting", "Answers that wait to be spoken.")
        static let decoding = MetricsRegistry.Family.gauge("omni:codec_requests_running", "Answers whose codes become sound.")
        static let codes = MetricsRegistry.Family.counter("omni:talker_codes_total", "Codes of sound that the talker has written.")
        static let talkerSeconds = MetricsRegistry.Family.counter("omni:talker_seconds_total", "Seconds in the talker's network.")

        private static func histogram(_ name: String, _ help: String) -> MetricsRegistry.Family {
            .histogram(name, help, buckets: DurationHistogram.bounds)
        }
    }

    public func report(to registry: MetricsRegistry, modelName: String) {
        let now = statistics
        func set(_ family: MetricsRegistry.Family, _ value: Double) { registry.set(family, value, labels: ["model_name": modelName]) }
        func set(_ family: MetricsRegistry.Family, _ histogram: DurationHistogram) {
            registry.set(family, counts: histogram.counts(in: family.buckets), sum: histogram.sum, labels: ["model_name": modelName])
        }
        for family in [Families.running, .requestsRunning] { set(family, Double(now.running)) }
        for family in [Families.waiting, .requestsWaiting] { set(family, Double(now.waiting)) }
        set(Families.cacheUsage, now.cacheUsage)
        // A block of vLLM's is a token's cell here.
        registry.set(
            Families.cacheConfig, 1,
            labels: [
                "model_name": modelName, "block_size": "1",
                "num_gpu_blocks": card.details["kv_cache_tokens"]?.intValue.map { "\($0)" } ?? "0",
            ])
        for family in [Families.prompt, .promptTokens] { set(family, Double(now.promptTokens)) }
        for family in [Families.generation, .generationTokens] { set(family, Double(now.generationTokens)) }
        set(Families.queries, Double(now.promptTokens + now.cachedTokens))
        set(Families.hits, Double(now.cachedTokens))
        set(Families.preemptions, Double(now.preemptions))
        set(Families.drafts, Double(now.drafts))
        set(Families.draftTokens, Double(now.draftTokens))
        set(Families.acceptedTokens, Double(now.acceptedTokens))
        for (reason, count) in now.requestsFinished {
            for family in [Families.success, .requestsSucceeded] {
                registry.set(family, Double(count), labels: ["model_name": modelName, "finished_reason": reason.rawValue])
            }
        }
        set(Families.firstToken, now.timeToFirstToken)
        for family in [Families.endToEnd, .requestLatency] { set(family, now.requestDuration) }
        for family in [Families.queueTime, .requestQueueWait] { set(family, now.queueWait) }
        if let spoken = speaker?.talker.statistics {
            set(Families.speaking, Double(spoken.running))
            set(Families.silent, Double(spoken.waiting))
            set(Families.decoding, Double(spoken.decoding))
            set(Families.codes, Double(spoken.codes))
            set(Families.talkerSeconds, spoken.seconds)
        }
        set(Families.cancelled, Double(now.requestsCancelled))
        set(Families.cancelLatency, now.cancelLatency)
    }
}
