extension MetricsRegistry.Family {
    // What every kind of model reports of its requests, in the families of API.md, section 18.
    public static let requestsRunning = gauge("vllm_omni:num_requests_running", "Requests under way.")
    public static let requestsWaiting = gauge("vllm_omni:num_requests_waiting", "Requests that wait for their turn.")
    /// By `finished_reason`.
    public static let requestsSucceeded = counter("vllm_omni:requests_success_total", "Requests answered.")
    /// By `reason`.
    public static let requestsFailed = counter("vllm_omni:requests_failed_total", "Requests that ended with an error.")
    public static let promptTokens = counter("vllm_omni:prompt_tokens_total", "Prompt tokens computed.")
    public static let generationTokens = counter("vllm_omni:generation_tokens_total", "Tokens generated.")
    public static let requestLatency = histogram("vllm_omni:e2e_request_latency_s", "Seconds from request to reply.")
    public static let requestQueueWait = histogram("vllm_omni:request_queue_wait_s", "Seconds until a request got its turn.")
}
