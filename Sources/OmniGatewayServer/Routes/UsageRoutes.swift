import HTTPTypes
import OmniAPI
import OmniAccess
import OmniEngine
import OmniHTTP

/// `/v1/usage`: what keys have used.
struct UsageRoutes: RouteGroup {
    let keys: KeyStore

    func add(to table: inout RouteTable) {
        let usage = RouteDoc("What the API key that asks has used since the server started; for one of --api-key what all have.", .server)
            .answers(KeyUsageReply.self)
        table.add(.get, "/v1/usage", usage) { _, _ in
            var reply = KeyUsageReply()
            let asking = KeyLease.current?.key
            reply.data = keys.usage.filter { asking == nil || asking?.isOwners == true || asking?.name == $0.name }
                .map { KeyUsageReport($0.name, $0.limits, $0.usage) }
            return .json(reply.json)
        }
    }
}

extension KeyUsageReport {
    fileprivate init(_ name: String, _ limits: KeyLimits, _ usage: KeyUsage) {
        self.init()
        key = name
        (requests, running, refused) = (usage.requests, usage.running, usage.refused.values.reduce(0, +))
        (promptTokens, completionTokens, totalTokens) = (usage.tokens.prompt, usage.tokens.completion, usage.tokens.total)
        (requestsPerMinute, tokensPerMinute) = (limits.requestsPerMinute, limits.tokensPerMinute)
        concurrentRequests = limits.concurrentRequests
    }
}

extension KeyStore {
    /// Writes the keys' figures into `/metrics`.
    func report(to metrics: MetricsRegistry) {
        for (name, _, usage) in usage {
            metrics.set(.keyRequests, Double(usage.requests), labels: ["key": name])
            metrics.set(.keyRunning, Double(usage.running), labels: ["key": name])
            for (limit, count) in usage.refused { metrics.set(.keyRefused, Double(count), labels: ["key": name, "limit": limit]) }
            metrics.set(.keyTokens, Double(usage.tokens.prompt), labels: ["key": name, "kind": "prompt"])
            metrics.set(.keyTokens, Double(usage.tokens.completion), labels: ["key": name, "kind": "completion"])
        }
    }
}

extension MetricsRegistry.Family {
    fileprivate static let keyRequests = counter("omni:key_requests_total", "Requests and WebSockets let in, by API key.")
    fileprivate static let keyRunning = gauge("omni:key_requests_running", "Requests and WebSockets under way, by API key.")
    fileprivate static let keyRefused = counter("omni:key_requests_refused_total", "Requests answered with 429, by API key and limit.")
    fileprivate static let keyTokens = counter("omni:key_tokens_total", "Tokens used, by API key and kind.")
}
