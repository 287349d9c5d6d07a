import NIOCore
import OmniAPI
import OmniAccess
import Synchronization

/// Charges the tokens of one reply to the key that it is for.
final class UsageMeter: Sendable {
    private let lease: KeyLease
    private let state: Mutex<(reader: UsageReader, isCharged: Bool)>

    init(_ lease: KeyLease, _ reader: UsageReader) {
        self.lease = lease
        state = Mutex((reader, false))
    }

    /// A reply that is not read to its end has cost what was seen of it.
    deinit { charge(atLast: true) }

    /// What of a piece of the reply goes on.
    func take(_ chunk: ByteBuffer) -> ByteBuffer {
        let passed = state.withLock { $0.reader.take(chunk) }
        charge(atLast: false)
        return passed
    }

    /// What is left to go on at the end.
    func finish() -> ByteBuffer {
        let rest = state.withLock { $0.reader.finish() }
        charge(atLast: false)
        return rest
    }

    /// Once, and before the client has the end of the reply: its next request finds the tokens taken.
    private func charge(atLast: Bool) {
        let used = state.withLock { state -> UsedTokens? in
            guard !state.isCharged, atLast || state.reader.isComplete else { return nil }
            state.isCharged = true
            return state.reader.used
        }
        if let used, used.total > 0 { lease.charge(used) }
    }
}

extension UpstreamRequest {
    /// The same, asking for the usage at the end of a stream where the client has not, and whether it does.
    func askingForUsage() -> (request: UpstreamRequest, isAsking: Bool) {
        guard ["/v1/chat/completions", "/v1/completions"].contains(path), let body,
            body.readableBytesView.firstRange(of: Array(#""stream""#.utf8)) != nil,
            case .object(var json)? = try? JSONValue.parse(body.readableBytesView), json["stream"]?.boolValue == true
        else { return (self, false) }
        var options = json["stream_options"]?.objectValue ?? JSONObject()
        guard options["include_usage"]?.boolValue != true else { return (self, false) }
        options["include_usage"] = true
        json["stream_options"] = .object(options)
        var request = self
        request.body = ByteBuffer(bytes: JSONValue.object(json).jsonBytes)
        return (request, true)
    }
}
