import OmniAPI
import OmniEngine
import OmniLlama

/// Speaks answers: a decoder of its own on a thread of its own, which follows the thinker's states.
final class Talker: Sendable {
    let model: TalkerModel
    let setup: TalkerSetup
    let meter = TalkerMeter()
    private let mailbox: TalkerMailbox
    private let thread: EngineThread

    /// Blocks while the context is made. Throws ``APIError``.
    init(model: TalkerModel, setup: TalkerSetup, lane: any ComputeLane) throws {
        let mailbox = TalkerMailbox()
        (self.model, self.setup, self.mailbox) = (model, setup, mailbox)
        let abortHandle = AbortHandle(lane: lane)
        thread = try EngineThread(name: "omni-talker", onStop: mailbox.close) { [meter] in
            let loop = try TalkerLoop(model: model, setup: setup, abortHandle: abortHandle, mailbox: mailbox, meter: meter)
            meter.note(loop.reservation)
            return loop.run
        }
    }

    var statistics: TalkerStatistics { meter.statistics }
    var reservation: MemoryReservation { meter.reservation }

    /// Starts to speak as soon as there is room. Throws 503 while the engine is going away.
    func add(_ request: TalkerRequest) throws {
        guard mailbox.add(request) else { throw Inbox.closing }
    }

    /// Something has changed: rows have come, or a request was given up.
    func wake() { mailbox.wake() }

    func stop() async { await thread.stop() }
}
