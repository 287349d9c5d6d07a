/// A response store without a disk, for tests.
public actor MemoryResponseStore: ResponseStore {
    private var responses: [String: StoredResponse] = [:]

    public init() {}
    public func keep(_ response: StoredResponse) { responses[response.id] = response }
    public func response(_ id: String) -> StoredResponse? { responses[id] }
    public func remove(_ id: String) -> Bool { responses.removeValue(forKey: id) != nil }
}
