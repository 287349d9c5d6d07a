/// What a key has used and may still use. A pure value: time comes from outside.
struct KeyAccount: Sendable, Equatable {
    /// Which limit a request is over, and when it will not be.
    struct Refusal: Error, Equatable {
        enum Limit: String { case requests, tokens, concurrent }

        var limit: Limit
        /// Until another try makes sense.
        var wait: Duration
    }

    private(set) var limits = KeyLimits()
    private(set) var requests: TokenBucket?
    private(set) var tokens: TokenBucket?
    private(set) var usage = KeyUsage()

    init(_ limits: KeyLimits, at now: Duration) { set(limits, at: now) }

    /// Other limits; what has been used stays used.
    mutating func set(_ new: KeyLimits, at now: Duration) {
        func bucket(_ old: TokenBucket?, _ limit: Int?) -> TokenBucket? {
            limit.map { old?.changed(toPerMinute: $0, at: now) ?? TokenBucket(perMinute: $0, at: now) }
        }
        requests = bucket(requests, new.requestsPerMinute)
        tokens = bucket(tokens, new.tokensPerMinute)
        limits = new
    }

    /// Why a request may not begin now; nil when it may. Tokens are charged afterwards, so it may as long as there is no debt.
    func refusal(at now: Duration) -> Refusal? {
        var (requests, tokens) = (requests, tokens)
        requests?.refill(to: now)
        tokens?.refill(to: now)
        // The longest wait first: what comes back earlier would only be refused again.
        let waits = [
            (Refusal.Limit.tokens, tokens?.wait(for: 0) ?? .zero), (.requests, requests?.wait(for: 1) ?? .zero),
            (.concurrent, limits.concurrentRequests.map { usage.running >= $0 ? .seconds(1) : .zero } ?? .zero),
        ]
        return waits.filter { $0.1 > .zero }.max { $0.1 < $1.1 }.map { Refusal(limit: $0.0, wait: $0.1) }
    }

    /// Begins a request. Throws ``Refusal``, which takes nothing.
    mutating func begin(at now: Duration) throws(Refusal) {
        if let refusal = refusal(at: now) {
            usage.refused[refusal.limit.rawValue, default: 0] += 1
            throw refusal
        }
        requests?.refill(to: now)
        requests?.take(1)
        usage.requests += 1
        usage.running += 1
    }

    mutating func end() { usage.running -= 1 }

    mutating func charge(_ used: UsedTokens, at now: Duration) {
        tokens?.refill(to: now)
        tokens?.take(Double(used.total))
        usage.tokens.prompt += used.prompt
        usage.tokens.completion += used.completion
        usage.tokens.total += used.total
    }

    /// OpenAI's headers for the limits that there are.
    func headers(at now: Duration) -> [(name: String, value: String)] {
        [("requests", requests), ("tokens", tokens)].flatMap { kind, bucket -> [(String, String)] in
            guard var bucket else { return [] }
            bucket.refill(to: now)
            return [
                ("x-ratelimit-limit-\(kind)", String(Int(bucket.perMinute))),
                ("x-ratelimit-remaining-\(kind)", String(Int(max(0, bucket.level.rounded(.down))))),
                ("x-ratelimit-reset-\(kind)", bucket.wait(for: bucket.perMinute).asReset),
            ]
        }
    }
}

/// Tokens of one reply or of many.
public struct UsedTokens: Sendable, Equatable {
    public var prompt: Int
    public var completion: Int
    /// What is charged.
    public var total: Int

    public init(prompt: Int = 0, completion: Int = 0, total: Int = 0) {
        (self.prompt, self.completion, self.total) = (prompt, completion, total)
    }
}

/// What a key has done since the server started.
public struct KeyUsage: Sendable, Equatable {
    /// Requests that were let in.
    public var requests = 0
    /// Those of them that run.
    public var running = 0
    /// Requests answered with 429, by the limit that they were over: `requests`, `tokens`, `concurrent`.
    public var refused: [String: Int] = [:]
    public var tokens = UsedTokens()
}

extension Duration {
    /// As OpenAI's headers write a duration: `120ms`, `1.5s`, `6m0s`.
    var asReset: String {
        let milliseconds = Int((self / .milliseconds(1)).rounded(.up))
        if milliseconds < 1000 { return milliseconds == 0 ? "0s" : "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let fraction = rest % 1000
        let digits = String(1000 + fraction).dropFirst()
        let shown = fraction == 0 ? "" : "." + String(digits.reversed().drop { $0 == "0" }.reversed())
        return (minutes > 0 ? "\(minutes)m" : "") + "\(rest / 1000)\(shown)s"
    }
}
