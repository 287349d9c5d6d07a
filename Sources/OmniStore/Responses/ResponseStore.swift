import OmniAPI

/// A response as it is kept.
public struct StoredResponse: Sendable, Equatable {
    public var id: String
    /// Seconds since 1970.
    public var createdAt: Double
    /// As the wire shows it.
    public var response: JSONValue
    /// The items that came with the request.
    public var input: [JSONValue]
    /// The whole conversation, this response's output included: what the next one goes on from.
    public var conversation: [JSONValue]

    public init(id: String, createdAt: Double, response: JSONValue, input: [JSONValue], conversation: [JSONValue]) {
        (self.id, self.createdAt, self.response, self.input, self.conversation) = (id, createdAt, response, input, conversation)
    }
}

/// Keeps responses for a while, up to a quota: the oldest go first.
public protocol ResponseStore: Sendable {
    /// Throws 507 when the disk is full.
    func keep(_ response: StoredResponse) async throws
    func response(_ id: String) async throws -> StoredResponse?
    /// False when there is none of that id.
    func remove(_ id: String) async throws -> Bool
}

/// How long and how much.
public struct ResponseQuota: Sendable {
    /// Seconds.
    public var lifetime = 30.0 * 86400
    /// Bytes of JSON.
    public var bytes = 256 << 20

    public init() {}
}
