import NIOCore

/// Shows a connection's bytes to its ``ConnectionGuard``: the parser tells of a head only when it is whole, and what the client has
/// taken is known at the socket only.
final class WireWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let watcher: ConnectionGuard
    private var unflushed = 0

    init(_ watcher: ConnectionGuard) { self.watcher = watcher }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard watcher.received(bytes) else { return }
        context.fireChannelRead(data)
        watcher.parsed(bytes.readableBytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // What is thrown away is read too, so that the kernel does not answer it with a reset.
        if watcher.state.isOver { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if watcher.state.isOver, let event = event as? ChannelEvent, event == .inputClosed { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        unflushed += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        watcher.flushed(unflushed, waiting: Self.waiting(context.channel))
        unflushed = 0
    }

    /// Bytes that were written and that the socket has not taken.
    static func waiting(_ channel: any Channel) -> Int { (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}
