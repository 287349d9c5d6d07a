import OmniEngine
import Synchronization

/// Lets the sound of an answer through from its first word on until it calls a tool.
final class SpeechGate: Sendable {
    private enum State {
        case waiting([TextEvent])
        case open
        /// For good; whether sound had gone through before.
        case closed(wasOpen: Bool)
    }

    private let state: Mutex<State>

    init(isOpen: Bool) { state = Mutex(isOpen ? .open : .waiting([])) }

    /// Whether any sound went through.
    var wasOpen: Bool {
        state.withLock { state in
            switch state {
            case .waiting: false
            case .open: true
            case .closed(let wasOpen): wasOpen
            }
        }
    }

    /// Hands on what waited.
    func open(_ emit: (TextEvent) -> Void) {
        state.withLock { state in
            guard case .waiting(let events) = state else { return }
            state = .open
            events.forEach(emit)
        }
    }

    /// Nothing goes through any more.
    func close() {
        state.withLock { state in
            switch state {
            case .waiting: state = .closed(wasOpen: false)
            case .open: state = .closed(wasOpen: true)
            case .closed: break
            }
        }
    }

    func pass(_ event: TextEvent, _ emit: (TextEvent) -> Void) {
        state.withLock { state in
            switch state {
            case .waiting(let events): state = .waiting(events + [event])
            case .open: emit(event)
            case .closed: break
            }
        }
    }
}
