import Testing

@testable import OmniAccess

@Suite("What a key may still use")
struct KeyAccountTests {
    private func account(_ requests: Int? = nil, tokens: Int? = nil, concurrent: Int? = nil) -> KeyAccount {
        KeyAccount(KeyLimits(requestsPerMinute: requests, tokensPerMinute: tokens, concurrentRequests: concurrent), at: .zero)
    }

    @Test("a key without limits is never refused, and counted all the same") func unlimited() throws {
        var account = account()
        for _ in 0..<1000 { try account.begin(at: .zero) }
        account.charge(UsedTokens(prompt: 3, completion: 4, total: 7), at: .zero)
        #expect(account.usage.requests == 1000 && account.usage.running == 1000 && account.usage.tokens.total == 7)
        #expect(account.headers(at: .zero).isEmpty)
    }

    @Test("requests come back one by one over the minute, not all at its end") func requests() throws {
        var account = account(60)
        for _ in 0..<60 { try account.begin(at: .zero) }
        #expect(account.refusal(at: .zero) == .init(limit: .requests, wait: .seconds(1)))
        #expect(account.refusal(at: .milliseconds(400))?.wait == .milliseconds(600))
        #expect(account.refusal(at: .seconds(1)) == nil)
        try account.begin(at: .seconds(1))
        #expect(throws: KeyAccount.Refusal.self) { try account.begin(at: .seconds(1)) }
        #expect(account.usage.refused == ["requests": 1], "asking whether it may is not being refused")
    }

    @Test("whoever comes when it is told to is let in") func told() throws {
        for limit in [1, 7, 60, 977] {
            var account = account(limit), now = Duration.zero
            for _ in 0..<3 * limit {
                if let refusal = account.refusal(at: now) { now += refusal.wait }
                // A wait is rounded to what a Duration holds.
                now += .nanoseconds(1)
                try account.begin(at: now)
            }
            // A bucket full at once and the rest at the pace of the limit.
            #expect(now > .seconds(119) && now < .seconds(121), "\(limit)")
        }
    }

    @Test("tokens are charged afterwards, and a debt is waited for") func tokens() throws {
        var account = account(tokens: 100)
        try account.begin(at: .zero)
        account.charge(UsedTokens(prompt: 50, completion: 50, total: 100), at: .zero)
        #expect(account.refusal(at: .zero) == nil, "an empty bucket is no debt")
        account.charge(UsedTokens(prompt: 50, completion: 0, total: 50), at: .zero)
        #expect(account.refusal(at: .zero) == .init(limit: .tokens, wait: .seconds(30)))
        #expect(account.refusal(at: .seconds(30)) == nil)
        #expect(account.refusal(at: .seconds(3600)) == nil)
        account.charge(UsedTokens(total: 101), at: .seconds(3600))
        #expect(account.refusal(at: .seconds(3600)) != nil, "an hour of rest fills the bucket once")
    }

    @Test("so many at once, and the next when one ends") func concurrent() throws {
        var account = account(concurrent: 2)
        try account.begin(at: .zero)
        try account.begin(at: .zero)
        #expect(account.refusal(at: .zero) == .init(limit: .concurrent, wait: .seconds(1)))
        account.end()
        #expect(account.refusal(at: .zero) == nil)
    }

    @Test("what refuses takes nothing, and the longest wait is told") func refusals() throws {
        var account = account(1, tokens: 60, concurrent: 5)
        account.charge(UsedTokens(total: 70), at: .zero)
        #expect(throws: KeyAccount.Refusal(limit: .tokens, wait: .seconds(10))) { try account.begin(at: .zero) }
        try account.begin(at: .seconds(10))
        account.charge(UsedTokens(total: 61), at: .seconds(10))
        #expect(account.refusal(at: .seconds(10))?.limit == .tokens || account.refusal(at: .seconds(10))?.wait == .seconds(60))
    }

    @Test("other limits do not forgive what has been used") func changes() throws {
        var account = account(10)
        for _ in 0..<10 { try account.begin(at: .zero) }
        account.set(KeyLimits(requestsPerMinute: 12), at: .zero)
        try account.begin(at: .zero)
        try account.begin(at: .zero)
        #expect(account.refusal(at: .zero)?.limit == .requests)
        account.set(KeyLimits(), at: .zero)
        #expect(account.refusal(at: .zero) == nil && account.usage.requests == 12)
    }

    @Test("a clock that goes back fills nothing and takes nothing") func clock() throws {
        var account = account(2)
        try account.begin(at: .seconds(10))
        try account.begin(at: .seconds(5))
        #expect(account.refusal(at: .seconds(1)) != nil)
    }

    @Test("headers as OpenAI has them") func headers() throws {
        var account = account(60, tokens: 600)
        try account.begin(at: .zero)
        account.charge(UsedTokens(total: 900), at: .zero)
        let headers = Dictionary(uniqueKeysWithValues: account.headers(at: .zero).map { ($0.name, $0.value) })
        #expect(
            headers == [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "600", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s",
            ])
        #expect(
            Duration.milliseconds(120).asReset == "120ms" && Duration.zero.asReset == "0s" && Duration.milliseconds(1500).asReset == "1.5s")
        #expect(Duration.seconds(360).asReset == "6m0s" && Duration.milliseconds(1050).asReset == "1.05s")
    }
}
