import OmniAPI
import Synchronization

/// A request, or a WebSocket, of one key, from its admission to its end.
public final class KeyLease: Sendable {
    /// The lease of the request that this task works for; nil where the server asks for no keys.
    @TaskLocal public static var current: KeyLease?

    public let key: APIKey
    private let store: KeyStore
    /// Whether many answers come in it, so that limits are looked at again before each.
    private let isSocket: Bool
    /// Whether it takes part in the limits.
    private let isCounted: Bool
    private let hasEnded = Mutex(false)

    init(_ key: APIKey, in store: KeyStore, isCounted: Bool, isSocket: Bool) {
        (self.key, self.store, self.isCounted, self.isSocket) = (key, store, isCounted, isSocket)
    }

    deinit { end() }

    /// Makes room for the key's next request. Only the first call does something.
    public func end() {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        if isFirst, isCounted { store.end(key) }
    }

    /// Counts tokens that a reply has told of; they are charged also when the request is over.
    public func charge(_ tokens: UsedTokens) { store.charge(tokens, to: key) }

    /// The rate limits' headers, as they are now.
    public var headers: [(name: String, value: String)] { store.headers(of: key) }

    public func allows(model names: [String]) -> Bool { key.scope.allows(model: names) }

    /// Throws 403 for a model that the key may not use.
    public func check(model names: [String]) throws {
        guard !allows(model: names) else { return }
        throw APIError(
            .permissionDenied, "The key `\(key.name)` may not use the model `\(names.first ?? "")`.",
            remedy: "It may use: \((key.scope.models ?? []).joined(separator: ", ")).", param: "model")
    }

    /// Throws 429 before one more answer in a WebSocket whose key is in debt.
    public func checkDebt() throws {
        if isSocket { try store.checkDebt(of: key) }
    }
}
