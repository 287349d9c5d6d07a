import NIOCore
import NIOHTTP1
import OmniAPI

/// Keeps one HTTP/1 connection to ``ConnectionLimits``, answers what cannot be parsed, and closes in a way in which the last answer
/// arrives (RFC 9112, 9.6). It stands between the parser and everything that reads requests; ``WireWatch`` shows it the bytes.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The request that was being read is not going to be whole; its answer has been sent.
    struct RequestCutOff: Error {}

    private(set) var state: ConnectionState
    private let limits: ConnectionLimits
    private let sockets: WebSocketRoutes
    /// The answer that a refusal gets, and where it is counted.
    private let refuse: @Sendable (APIError) -> (HTTPResponseHead, ByteBuffer)
    private var firstByte: UInt8?
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    private var context: ChannelHandlerContext?
    /// Bytes of answers that have gone to the socket's buffer.
    private var written = 0

    init(_ limits: ConnectionLimits, sockets: WebSocketRoutes, refuse: @escaping @Sendable (APIError) -> (HTTPResponseHead, ByteBuffer)) {
        (self.limits, self.sockets, self.refuse) = (limits, sockets, refuse)
        state = ConnectionState(limits, at: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.task.cancel()
        (timer, self.context) = (nil, nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.task.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    // MARK: - Bytes, as the watch sees them

    /// False: the bytes are thrown away.
    func received(_ bytes: ByteBuffer) -> Bool {
        if firstByte == nil { firstByte = bytes.getInteger(at: bytes.readerIndex) }
        state.received(at: .now())
        return !state.isOver
    }

    func parsed(_ count: Int) {
        guard let context else { return }
        perform(state.parsed(count), context)
    }

    /// - Parameter waiting: bytes that the socket has not taken yet.
    func flushed(_ count: Int, waiting: Int) {
        written += count
        state.output(written: written, waiting: waiting, at: .now())
        if waiting > 0, let context { schedule(context) }
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !state.isOver else { return }
        var part = unwrapInboundIn(data)
        switch part {
        case .head(var head):
            let isUpgrade = head.headers.contains(name: "upgrade")
            // The parser stops after a request that asks for another protocol, whether it gets it or not.
            state.head(head, isLast: isUpgrade || head.method == .CONNECT, at: .now())
            if isUpgrade, !sockets.accepts(head) {
                // An ordinary request to everyone behind. HTTP/2 is asked for so by many clients that do without it.
                head.headers.remove(name: "upgrade")
                part = .head(head)
            }
        case .body(let bytes): state.body(bytes.readableBytes, at: .now())
        case .end: perform(state.end(at: .now()), context)
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        state.sated(at: .now())
        schedule(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        state.wants(at: .now())
        schedule(context)
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is HTTPParserError: perform(state.fault(Refusal(error, first: state.hasBegun ? nil : firstByte)), context)
        case is ByteToMessageDecoderError: break
        default: context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        perform(state.quiesce(), context)
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            guard let framed = state.answerHead(head) else {
                if head.isInterim { promise?.succeed() } else { promise?.fail(ChannelError.ioOnClosedChannel) }
                return
            }
            context.write(wrapOutboundOut(.head(framed)), promise: promise)
        case .body:
            guard state.isAnswerOpen else {
                promise?.fail(ChannelError.ioOnClosedChannel)
                return
            }
            context.write(data, promise: promise)
        case .end:
            guard state.isAnswerOpen else {
                promise?.fail(ChannelError.ioOnClosedChannel)
                return
            }
            let action = state.answerEnd(at: .now())
            if action == .none { context.write(data, promise: promise) } else { context.writeAndFlush(data, promise: promise) }
            perform(action, context)
        }
    }

    /// Who answers may be done with the connection before the client has the answer.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard state.isOver, mode == .all, !state.isQuiescing else { return context.close(mode: mode, promise: promise) }
        context.channel.closeFuture.cascade(to: promise)
    }

    // MARK: - Ends

    private func perform(_ action: ConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .none: break
        case .refuse(let refusal):
            let (head, body) = refuse(refusal.error(limits))
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            let hasBegun = state.hasBegun
            perform(state.over(at: .now()), context)
            // Whoever reads the broken request learns of it; before the first one nobody does.
            if hasBegun { context.fireErrorCaught(RequestCutOff()) }
        case .finish:
            context.close(mode: .output).assumeIsolated().whenComplete { [weak self] _ in
                if let self, self.state.isQuiescing { context.close(promise: nil) }
            }
            // The program may have stopped asking.
            context.read()
        case .close: context.close(promise: nil)
        }
        schedule(context)
    }

    /// One timer, moved only when it would come too late.
    private func schedule(_ context: ChannelHandlerContext) {
        guard let deadline = state.deadline, context.channel.isActive || !state.hasBegun else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            guard let self, let context = self.context else { return }
            self.timer = nil
            self.state.output(written: self.written, waiting: WireWatch.waiting(context.channel), at: .now())
            self.perform(self.state.late(at: .now()), context)
        }
        timer = (deadline, task)
    }
}
