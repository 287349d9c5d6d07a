import NIOCore
import NIOHTTP1
import Testing

@testable import OmniHTTP

/// One connection under a clock that the test moves.
@Suite("A connection's limits")
struct ConnectionStateTests {
    static let limits = ConnectionLimits(
        firstByte: .seconds(10), head: .seconds(20), body: .seconds(30), keepAlive: .seconds(40), write: .seconds(50))

    /// A connection at a time in seconds.
    struct Clocked {
        var state = ConnectionState(ConnectionStateTests.limits, at: .uptimeNanoseconds(0))
        var now = 0

        var time: NIODeadline { .uptimeNanoseconds(UInt64(now) * 1_000_000_000) }
        /// Seconds until the limit that runs; nil when none does.
        var left: Int? { state.deadline.map { Int(($0 - time).nanoseconds / 1_000_000_000) } }

        mutating func wait(_ seconds: Int) -> ConnectionState.Action {
            now += seconds
            return state.late(at: time)
        }

        mutating func head(_ version: HTTPVersion = .http1_1, _ method: HTTPMethod = .POST, _ headers: HTTPHeaders = [:]) {
            state.received(at: time)
            state.head(HTTPRequestHead(version: version, method: method, uri: "/", headers: headers), isLast: false, at: time)
        }

        mutating func request(_ version: HTTPVersion = .http1_1, _ method: HTTPMethod = .GET, _ headers: HTTPHeaders = [:]) {
            head(version, method, headers)
            #expect(state.end(at: time) == .none)
        }

        /// The head that goes out.
        @discardableResult mutating func answer(_ headers: HTTPHeaders = ["content-length": "0"], status: HTTPResponseStatus = .ok)
            -> HTTPResponseHead?
        {
            state.answerHead(HTTPResponseHead(version: .http1_1, status: status, headers: headers))
        }

        mutating func end() -> ConnectionState.Action { state.answerEnd(at: time) }
    }

    @Test("silence, half a head and half a body are answered with 408, each after its own time")
    func lateness() {
        var silent = Clocked()
        #expect(silent.left == 10 && silent.wait(9) == .none && silent.wait(1) == .refuse(.late(.firstByte)))
        var halfHead = Clocked()
        _ = halfHead.wait(9)
        halfHead.state.received(at: halfHead.time)
        _ = halfHead.wait(19)
        // More of the head buys no more time.
        halfHead.state.received(at: halfHead.time)
        #expect(halfHead.left == 1 && halfHead.wait(1) == .refuse(.late(.head)))
        var halfBody = Clocked()
        halfBody.head()
        halfBody.state.body(ConnectionLimits.leastBodyBytes, at: halfBody.time)
        #expect(halfBody.wait(29) == .none)
        halfBody.state.body(1, at: halfBody.time)
        #expect(halfBody.wait(1) == .refuse(.late(.body)))
    }

    @Test("a body that comes slowly but steadily is never late, one that only drips is")
    func slowBodies() {
        var steady = Clocked()
        steady.head()
        for _ in 0..<100 {
            #expect(steady.wait(29) == .none)
            steady.state.body(ConnectionLimits.leastBodyBytes, at: steady.time)
        }
        var dripping = Clocked()
        dripping.head()
        for _ in 0..<29 {
            #expect(dripping.wait(1) == .none)
            dripping.state.body(1, at: dripping.time)
        }
        #expect(dripping.wait(1) == .refuse(.late(.body)))
    }

    @Test("the time in which the program asks for no bytes is not the client's")
    func backPressure() {
        var connection = Clocked()
        connection.head()
        _ = connection.wait(20)
        connection.state.sated(at: connection.time)
        #expect(connection.left == nil && connection.wait(1000) == .none)
        connection.state.wants(at: connection.time)
        #expect(connection.left == 10 && connection.wait(10) == .refuse(.late(.body)))
    }

    @Test("an answer may take as long as it takes; afterwards the connection is kept for a while and closed without a word")
    func keepAlive() {
        var connection = Clocked()
        connection.request()
        #expect(connection.left == nil && connection.wait(100_000) == .none)
        connection.answer([:])
        #expect(connection.wait(100_000) == .none)
        #expect(connection.end() == .none && connection.left == 40)
        #expect(connection.wait(39) == .none)
        connection.request()
        connection.answer()
        #expect(connection.end() == .none)
        #expect(connection.wait(40) == .close)
    }

    @Test("a client that takes nothing of its answer is left, one that takes it slowly is not")
    func stalledWrites() {
        var slow = Clocked()
        slow.request()
        slow.answer()
        for taken in 0..<100 {
            slow.state.output(written: 100_000, waiting: 100_000 - taken, at: slow.time)
            #expect(slow.wait(49) == .none)
        }
        // More to take is no taking.
        slow.state.output(written: 200_000, waiting: 200_000 - 99, at: slow.time)
        #expect(slow.wait(1) == .close)
        var idle = Clocked()
        idle.request()
        idle.answer()
        idle.state.output(written: 10, waiting: 10, at: idle.time)
        idle.state.output(written: 10, waiting: 0, at: idle.time)
        #expect(idle.left == nil)
    }

    @Test("what is no HTTP is refused after the whole requests before it, and in the place of the one that broke")
    func faults() {
        let fault = Refusal.malformed("x")
        var first = Clocked()
        first.state.received(at: first.time)
        #expect(first.state.fault(fault) == .refuse(fault))
        #expect(first.state.fault(fault) == .none, "once")
        var pipelined = Clocked()
        pipelined.request()
        pipelined.request()
        #expect(pipelined.state.fault(fault) == .none)
        #expect(pipelined.answer()?.headers.contains(name: "connection") == false)
        #expect(pipelined.end() == .none)
        pipelined.answer()
        #expect(pipelined.end() == .refuse(fault))
        var inBody = Clocked()
        inBody.request()
        inBody.head()
        #expect(inBody.state.fault(fault) == .none)
        inBody.answer()
        #expect(inBody.end() == .refuse(fault))
        #expect(inBody.state.over(at: inBody.time) == .finish)
        #expect(inBody.answer() == nil, "the broken request's own answer comes too late")
    }

    @Test("a body that breaks while its answer is sent ends the connection with that answer")
    func faultDuringAnswer() {
        var connection = Clocked()
        connection.head()
        connection.answer()
        #expect(connection.state.fault(.malformed("x")) == .none)
        #expect(connection.end() == .finish)
    }

    @Test("the head of a request is counted over all its pieces")
    func headBytes() {
        var connection = Clocked()
        connection.state.received(at: connection.time)
        #expect(connection.state.parsed(Self.limits.headBytes) == .none)
        connection.state.received(at: connection.time)
        #expect(connection.state.parsed(1) == .refuse(.headTooLarge))
    }

    @Test("HTTP/1.0 gets its own version, no keep-alive and no interim answers")
    func oldVersion() throws {
        var connection = Clocked()
        connection.request(.http1_0, .POST, ["connection": "keep-alive"])
        #expect(connection.answer(status: .continue) == nil)
        let answered = connection.answer([:])
        let head = try #require(answered)
        #expect(head.version == .http1_0 && head.headers["connection"] == ["close"])
        #expect(connection.end() == .finish)
    }

    @Test("an answer to HEAD of unknown length ends the connection, one of known length does not")
    func headRequests() {
        var connection = Clocked()
        connection.request(.http1_1, .HEAD)
        #expect(connection.answer(["content-length": "5"])?.version == .http1_1)
        #expect(connection.end() == .none)
        connection.request(.http1_1, .HEAD)
        #expect(connection.answer([:])?.version == .http1_0)
        #expect(connection.end() == .finish)
    }

    @Test("a client or an answer that says close has the connection closed", arguments: ["close", "Close", "TE, close"])
    func closing(word: String) {
        var connection = Clocked()
        connection.request(.http1_1, .GET, ["connection": word])
        #expect(connection.answer()?.headers["connection"] == ["close"])
        #expect(connection.end() == .finish)
        var other = Clocked()
        other.request()
        other.answer(["connection": "close", "content-length": "0"])
        #expect(other.end() == .finish)
    }

    @Test("after the last answer the client is listened to for a moment only")
    func lingering() {
        var connection = Clocked()
        connection.head(.http1_1, .POST, ["connection": "close"])
        connection.answer()
        #expect(connection.end() == .finish && connection.state.isOver)
        for _ in 0..<7 {
            #expect(connection.wait(4) == .none)
            connection.state.received(at: connection.time)
        }
        #expect(connection.wait(2) == .close, "thirty seconds in all")
        var silent = Clocked()
        silent.request(.http1_1, .GET, ["connection": "close"])
        silent.answer()
        #expect(silent.end() == .finish && silent.wait(4) == .none && silent.wait(1) == .close)
    }

    @Test("the rest of a body whose request is answered is read for thirty seconds")
    func answeredUploads() {
        var connection = Clocked()
        connection.head()
        connection.answer()
        #expect(connection.end() == .none)
        for _ in 0..<29 {
            #expect(connection.wait(1) == .none)
            connection.state.body(1 << 20, at: connection.time)
        }
        var ended = connection
        #expect(ended.state.end(at: ended.time) == .none && ended.left == 40, "the connection is as good as new")
        #expect(connection.wait(1) == .finish)
    }

    @Test("a server that is about to end closes idle connections at once and others with their answer")
    func quiescing() {
        var idle = Clocked()
        #expect(idle.state.quiesce() == .close)
        var busy = Clocked()
        busy.request()
        #expect(busy.state.quiesce() == .none)
        // An answer whose head said before that the connection stays.
        var begun = Clocked()
        begun.request()
        _ = begun.answer()
        #expect(begun.state.quiesce() == .none && begun.end() == .finish)
        #expect(busy.answer()?.headers["connection"] == ["close"])
        #expect(busy.end() == .finish)
    }

    @Test("without limits nothing is ever late")
    func noLimits() {
        var state = ConnectionState(.none, at: .uptimeNanoseconds(0))
        #expect(state.deadline == nil)
        state.received(at: .uptimeNanoseconds(0))
        #expect(state.deadline == nil)
        state.head(HTTPRequestHead(version: .http1_1, method: .POST, uri: "/"), isLast: false, at: .uptimeNanoseconds(0))
        #expect(state.deadline == nil)
    }
}
