import NIOConcurrencyHelpers
import NIOCore
import NIOHTTPTypes

/// Sees the client's FIN or close at once, also while nothing is written, and leaves the connection reusable.
///
/// Hummingbird allows half-closed connections, so a channel's `closeFuture` does not fire on a FIN. The price: a client that
/// half-closes on purpose counts as gone.
final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private struct State {
        var isClosed = false
        var nextID = 0
        var callbacks: [Int: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())

    /// Calls `callback` once when the client is gone, at once if it already is. The id takes it back.
    func onClose(_ callback: @escaping @Sendable () -> Void) -> Int {
        let id: Int? = state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            state.nextID += 1
            state.callbacks[state.nextID] = callback
            return state.nextID
        }
        guard let id else {
            callback()
            return 0
        }
        return id
    }

    func remove(_ id: Int) {
        state.withLockedValue { _ = $0.callbacks.removeValue(forKey: id) }
    }

    private func fire() {
        let callbacks = state.withLockedValue { state in
            state.isClosed = true
            defer { state.callbacks = [:] }
            return state.callbacks
        }
        for callback in callbacks.values { callback() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { fire() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fire()
        context.fireChannelInactive()
    }
}
