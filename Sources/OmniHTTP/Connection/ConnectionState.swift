import NIOCore
import NIOHTTP1

/// What the bytes and the silence on one HTTP/1 connection mean: which limit runs, when it is refused, when it ends. A pure value;
/// ``ConnectionGuard`` does what it says.
struct ConnectionState {
    enum Action: Equatable {
        case none
        /// Send the refusal as the connection's last answer.
        case refuse(Refusal)
        /// No answer follows: end our side, and listen for a moment so that the last one arrives.
        case finish
        /// Close at once.
        case close
    }

    /// What is being read.
    private enum Reading {
        /// Nothing of a request yet.
        case between(since: NIODeadline)
        case head(since: NIODeadline)
        /// The window of the body in which ``ConnectionLimits/leastBodyBytes`` are to come, and those that have.
        case body(since: NIODeadline, bytes: Int)
        /// Not to be read any more: the connection ends.
        case discarded(since: NIODeadline, last: NIODeadline)
    }

    /// A request whose answer has not ended.
    private struct Request {
        let version: HTTPVersion
        let isHead: Bool
        /// Its answer is the last of the connection.
        var isLast: Bool
        var isWhole = false
    }

    private let limits: ConnectionLimits
    private var reading: Reading
    private var isFirst = true
    private var headBytes = 0
    private var open: [Request] = []
    /// Whether the answer to the first open request has begun.
    private var isAnswering = false
    /// Waits until the requests before it are answered.
    private var refusal: Refusal?
    private(set) var isQuiescing = false
    /// Since when the program has asked for no more bytes: meanwhile the client is not who is late.
    private var pause: NIODeadline?
    /// When the request that is still being read was answered, nobody being interested in its rest.
    private var drained: NIODeadline?
    /// Bytes of answers that the client has taken, and since when it has taken no more of those that wait.
    private var taken = 0
    private var stalled: NIODeadline?

    init(_ limits: ConnectionLimits, at now: NIODeadline) {
        self.limits = limits
        reading = .between(since: now)
    }

    /// Whether a request has reached the program.
    var hasBegun: Bool { !isFirst }

    /// Whether what still comes is thrown away.
    var isOver: Bool { if case .discarded = reading { true } else { false } }

    // MARK: - Reading

    /// Bytes came, before they are parsed.
    mutating func received(at now: NIODeadline) {
        switch reading {
        case .between: reading = .head(since: now)
        case .discarded(let since, _): reading = .discarded(since: since, last: now)
        case .head, .body: break
        }
    }

    /// These bytes have been parsed.
    mutating func parsed(_ count: Int) -> Action {
        guard case .head = reading, refusal == nil else { return .none }
        headBytes += count
        return headBytes > limits.headBytes ? fault(.headTooLarge) : .none
    }

    /// - Parameter isLast: the parser reads nothing after this request.
    mutating func head(_ head: HTTPRequestHead, isLast: Bool, at now: NIODeadline) {
        (headBytes, isFirst) = (0, false)
        // HTTP/1.0 knows no way to end a body but the connection's end.
        let isOld = head.version.major == 1 && head.version.minor == 0
        open.append(Request(version: head.version, isHead: head.method == .HEAD, isLast: isLast || isOld || !head.isKeepAlive))
        reading = .body(since: now, bytes: 0)
        drained = nil
    }

    mutating func body(_ count: Int, at now: NIODeadline) {
        guard case .body(let since, let bytes) = reading else { return }
        reading = bytes + count >= ConnectionLimits.leastBodyBytes ? .body(since: now, bytes: 0) : .body(since: since, bytes: bytes + count)
    }

    /// The program has got what it asked for.
    mutating func sated(at now: NIODeadline) { pause = pause ?? now }

    /// The program asks for more; the pause does not count against the client.
    mutating func wants(at now: NIODeadline) {
        guard let pause else { return }
        self.pause = nil
        if case .body(let since, let bytes) = reading { reading = .body(since: since + (now - pause), bytes: bytes) }
    }

    mutating func end(at now: NIODeadline) -> Action {
        guard case .body = reading else { return .none }
        reading = .between(since: now)
        // Its answer may have ended already.
        guard let last = open.indices.last else { return isQuiescing ? .close : .none }
        open[last].isWhole = true
        return .none
    }

    /// The stream of requests cannot go on.
    mutating func fault(_ refusal: Refusal) -> Action {
        guard self.refusal == nil, !isOver else { return .none }
        self.refusal = refusal
        return refuseInTurn()
    }

    /// The refusal is answered after all whole requests, in the place of the one that broke.
    private mutating func refuseInTurn() -> Action {
        guard let refusal else { return .none }
        if open.isEmpty { return .refuse(refusal) }
        guard open.count == 1, !open[0].isWhole, !isAnswering else { return .none }
        return .refuse(refusal)
    }

    // MARK: - Answering

    /// What the head of an answer must say. Nil: it may not be sent at all.
    mutating func answerHead(_ head: HTTPResponseHead) -> HTTPResponseHead? {
        guard let request = open.first, !isOver else { return nil }
        let isOld = request.version.minor == 0
        var head = head
        if head.isInterim { return isOld ? nil : head }
        isAnswering = true
        if isQuiescing || (refusal != nil && !open[0].isWhole) || head.headers[canonicalForm: "connection"].contains("close") {
            open[0].isLast = true
        }
        let isCounted = head.headers.contains(name: "content-length") || !head.status.mayHaveResponseBody
        // The encoder would end the absent body of an answer to HEAD with an empty chunk.
        if isOld || (request.isHead && !isCounted) {
            head.version = .http1_0
            open[0].isLast = true
        }
        if open[0].isLast { head.headers.replaceOrAdd(name: "connection", value: "close") }
        return head
    }

    mutating func answerEnd(at now: NIODeadline) -> Action {
        guard !open.isEmpty else { return .none }
        let request = open.removeFirst()
        isAnswering = false
        if request.isLast || (refusal != nil && !request.isWhole) { return over(at: now) }
        // Its head went out before the server was told to end, and promised that the connection stays.
        if isQuiescing && open.isEmpty { return over(at: now) }
        switch reading {
        case .between: reading = .between(since: now)
        case .head: reading = .head(since: now)
        case .body: drained = request.isWhole ? nil : now
        case .discarded: break
        }
        return refuseInTurn()
    }

    /// Nothing is read any more.
    mutating func over(at now: NIODeadline) -> Action {
        guard !isOver else { return .none }
        reading = .discarded(since: now, last: now)
        open.removeAll()
        isAnswering = false
        return .finish
    }

    /// Of `written` bytes of answers `waiting` have not been taken by the client's side.
    mutating func output(written: Int, waiting: Int, at now: NIODeadline) {
        guard waiting > 0 else {
            stalled = nil
            return
        }
        guard stalled == nil || written - waiting > taken else { return }
        (taken, stalled) = (written - waiting, now)
    }

    /// Whether parts of an answer may be sent.
    var isAnswerOpen: Bool { isAnswering }

    /// The server is about to end: open requests are answered, and no more are taken.
    mutating func quiesce() -> Action {
        isQuiescing = true
        return open.isEmpty ? .close : .none
    }

    // MARK: - Time

    /// When ``late(at:)`` is to be asked next; nil while the client owes nothing.
    var deadline: NIODeadline? {
        let limit: NIODeadline? =
            switch reading {
            case .discarded(let since, let last): min(since + ConnectionLimits.linger.whole, last + ConnectionLimits.linger.silence)
            case _ where refusal != nil: nil
            case .between(let since):
                open.isEmpty && stalled == nil ? (isFirst ? limits.firstByte : limits.keepAlive).map { since + $0 } : nil
            case .head(let since): open.isEmpty ? limits.head.map { since + $0 } : nil
            case .body(let since, _):
                if let drained { drained + ConnectionLimits.linger.whole } else { pause == nil ? limits.body.map { since + $0 } : nil }
            }
        return [limit, writeDeadline].compactMap(\.self).min()
    }

    /// What a passed deadline means.
    mutating func late(at now: NIODeadline) -> Action {
        guard let deadline, deadline <= now else { return .none }
        if let writeDeadline, writeDeadline <= now { return .close }
        switch reading {
        case .discarded: return .close
        // What is said to a client that has its answers would be taken for the answer to its next request.
        case .between: return isFirst ? fault(.late(.firstByte)) : .close
        case .head: return fault(.late(.head))
        case .body where drained != nil: return over(at: now)
        case .body:
            let action = fault(.late(.body))
            // Where its answer has begun there is no place for another.
            return action == .none && open.count == 1 ? .close : action
        }
    }

    private var writeDeadline: NIODeadline? { stalled.flatMap { since in limits.write.map { since + $0 } } }
}

extension HTTPResponseHead {
    /// Whether the real answer follows.
    var isInterim: Bool { (100..<200).contains(status.code) && status != .switchingProtocols }
}
