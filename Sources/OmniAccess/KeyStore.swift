import Foundation
import OmniAPI
import Synchronization

/// The keys of a server, what each has used, and who may do what now. Shared by all connections.
public final class KeyStore: Sendable {
    /// Time, for tests to set.
    public struct Clock: Sendable {
        /// Since any fixed moment.
        public var now: @Sendable () -> Duration
        public var date: @Sendable () -> Date

        public init(now: @escaping @Sendable () -> Duration, date: @escaping @Sendable () -> Date) {
            (self.now, self.date) = (now, date)
        }

        public static var system: Clock {
            let start = ContinuousClock.now
            return Clock(now: { ContinuousClock.now - start }, date: { Date() })
        }
    }

    private struct State {
        /// Those of the file, which may change.
        var filed: [APIKey] = []
        /// By name; a key that was taken out of the file keeps its account.
        var accounts: [String: KeyAccount] = [:]
    }

    /// Keys of the command line and the configuration.
    private let fixed: [APIKey]
    /// Whether `/v1` asks for a key.
    public let isRequired: Bool
    /// Whether keys have names and limits, and errors OpenAI's form; the peer knows plain keys only.
    public let hasNamedKeys: Bool
    private let clock: Clock
    private let state = Mutex(State())

    /// `readsFile`: more keys will come by ``replaceFileKeys(_:)``, so that `/v1` is locked also while there are none. Throws when two keys
    /// have one name or one secret.
    public init(_ fixed: [APIKey] = [], readsFile: Bool = false, clock: Clock = .system) throws {
        try Self.check(fixed)
        self.fixed = fixed
        isRequired = readsFile || !fixed.isEmpty
        hasNamedKeys = readsFile || fixed.contains { !$0.isOwners }
        self.clock = clock
        state.withLock { for key in fixed { $0.accounts[key.name] = KeyAccount(key.limits, at: clock.now()) } }
    }

    /// Of a server that asks for no keys.
    public static let none = KeyStore()

    private init() { (fixed, isRequired, hasNamedKeys, clock) = ([], false, false, .system) }

    /// Takes the file's keys in place of those that it had. Limits of a name that stays count on. Throws when two keys have one name or one
    /// secret; then nothing changes.
    public func replaceFileKeys(_ keys: [APIKey]) throws {
        try Self.check(fixed + keys)
        let now = clock.now()
        state.withLock { state in
            state.filed = keys
            for key in keys {
                if state.accounts[key.name] == nil {
                    state.accounts[key.name] = KeyAccount(key.limits, at: now)
                } else {
                    state.accounts[key.name]?.set(key.limits, at: now)
                }
            }
        }
    }

    private static func check(_ keys: [APIKey]) throws {
        var names: Set<String> = []
        var digests: [[UInt8]: String] = [:]
        for key in keys {
            guard names.insert(key.name).inserted else { throw APIError(.invalidRequest, "Two keys are called `\(key.name)`") }
            if let other = digests.updateValue(key.name, forKey: key.digest) {
                throw APIError(.invalidRequest, "`\(other)` and `\(key.name)` are the same key")
            }
        }
    }

    /// The key that a client sent. Throws 401 for one that is unknown or over.
    public func key(_ secret: String?) throws -> APIKey {
        guard let secret else { throw unauthorized("An API key is required.") }
        let digest = APIKey.digest(of: secret)
        // Every key is compared, so that the time tells nothing about which one it is.
        let found = (fixed + state.withLock { $0.filed }).reduce(APIKey?.none) { $1.hasDigest(digest) ? $1 : $0 }
        guard let found else { throw unauthorized("The API key is not known here.") }
        return try checkExpiry(of: found)
    }

    /// The key of a name, for what was done in its stead. Throws 401 where it is gone or over.
    public func key(named name: String) throws -> APIKey {
        guard let found = (fixed + state.withLock { $0.filed }).first(where: { $0.name == name }) else {
            throw unauthorized("The API key `\(name)` is there no more.")
        }
        return try checkExpiry(of: found)
    }

    private func checkExpiry(of key: APIKey) throws -> APIKey {
        if let expiry = key.expiry, expiry <= clock.date() {
            throw unauthorized("The API key `\(key.name)` has expired, on \(expiry.formatted(.iso8601)).")
        }
        return key
    }

    private func unauthorized(_ message: String) -> APIError {
        APIError(hasNamedKeys ? .invalidAPIKey : .unauthorized, message, remedy: "Send `Authorization: Bearer KEY`.")
    }

    /// Begins a request. `isCounted`: under the limits, as all that makes work is. Throws 429 where it is over one.
    public func begin(_ key: APIKey, isCounted: Bool = true, isSocket: Bool = false) throws -> KeyLease {
        guard isCounted else { return KeyLease(key, in: self, isCounted: false, isSocket: isSocket) }
        let now = clock.now()
        do {
            try state.withLock { state throws(KeyAccount.Refusal) in
                var account = state.accounts[key.name] ?? KeyAccount(key.limits, at: now)
                defer { state.accounts[key.name] = account }
                try account.begin(at: now)
            }
        } catch {
            throw Self.rateLimited(key, error)
        }
        return KeyLease(key, in: self, isCounted: true, isSocket: isSocket)
    }

    /// Whether a request would be let in now.
    public func wouldAdmit(_ key: APIKey) -> Bool {
        let now = clock.now()
        return state.withLock { $0.accounts[key.name]?.refusal(at: now) } == nil
    }

    func end(_ key: APIKey) { state.withLock { $0.accounts[key.name]?.end() } }

    func charge(_ tokens: UsedTokens, to key: APIKey) {
        let now = clock.now()
        state.withLock { $0.accounts[key.name]?.charge(tokens, at: now) }
    }

    /// The headers of a key's limits; none where it has no limits.
    public func headers(of key: APIKey) -> [(name: String, value: String)] {
        let now = clock.now()
        return state.withLock { $0.accounts[key.name]?.headers(at: now) } ?? []
    }

    func checkDebt(of key: APIKey) throws {
        let now = clock.now()
        if let refusal = state.withLock({ $0.accounts[key.name]?.refusal(at: now) }), refusal.limit == .tokens {
            throw Self.rateLimited(key, refusal)
        }
    }

    private static func rateLimited(_ key: APIKey, _ refusal: KeyAccount.Refusal) -> APIError {
        let seconds = max(1, Int((refusal.wait / .seconds(1)).rounded(.up)))
        let limit =
            switch refusal.limit {
            case .requests: "\(key.limits.requestsPerMinute ?? 0) requests a minute"
            case .tokens: "\(key.limits.tokensPerMinute ?? 0) tokens a minute"
            case .concurrent: "\(key.limits.concurrentRequests ?? 0) requests at once"
            }
        return APIError(
            .rateLimited, "The key `\(key.name)` may use \(limit).", remedy: "Try again in \(seconds) s.", retryAfter: seconds)
    }

    /// Keys with what they have used, by name; those that are gone too.
    public var usage: [(name: String, limits: KeyLimits, usage: KeyUsage)] {
        state.withLock { $0.accounts.map { ($0.key, $0.value.limits, $0.value.usage) } }.sorted { $0.name < $1.name }
    }
}
