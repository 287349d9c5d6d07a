import OmniAPI
import Testing

@testable import OmniGateway

@Suite("Room for models") struct ModelRoomTests {
    private typealias Resident = ModelRoomPlan.Resident

    private static func idle(_ id: String, for seconds: Int, loading: Int = 1, bytes: Int = 10, isPinned: Bool = false) -> Resident {
        Resident(
            id: id, isPinned: isPinned, isIdle: true, idle: .seconds(seconds), loading: .seconds(loading), bytes: bytes)
    }

    private static func busy(_ id: String, bytes: Int = 10) -> Resident { Resident(id: id, bytes: bytes) }

    @Test("without a limit, and below it, everybody comes in") func room() {
        #expect(ModelRoomPlan.Limits().decision(bytes: 1 << 40, among: [Self.busy("a"), Self.busy("b")]) == .enter)
        #expect(ModelRoomPlan.Limits(models: 2, bytes: 30).decision(bytes: 20, among: [Self.busy("a")]) == .enter)
    }

    @Test("who was not asked for longest gives way, sooner where loading it again is quick") func weights() {
        let limits = ModelRoomPlan.Limits(models: 2)
        #expect(limits.decision(bytes: 0, among: [Self.idle("a", for: 60), Self.idle("b", for: 30)]) == .evict("a"))
        #expect(limits.decision(bytes: 0, among: [Self.idle("a", for: 60, loading: 20), Self.idle("b", for: 30)]) == .evict("b"))
        #expect(limits.decision(bytes: 0, among: [Self.idle("a", for: 6000, loading: 20), Self.idle("b", for: 30)]) == .evict("a"))
    }

    @Test("who serves and who is pinned stay") func stay() {
        let limits = ModelRoomPlan.Limits(models: 2)
        #expect(limits.decision(bytes: 0, among: [Self.busy("a"), Self.busy("b")]) == .wait)
        #expect(limits.decision(bytes: 0, among: [Self.idle("a", for: 999, isPinned: true), Self.idle("b", for: 1)]) == .evict("b"))
        #expect(limits.decision(bytes: 0, among: [Self.idle("a", for: 999, isPinned: true), Self.busy("b")]) == .wait)
        let pinned = [Self.idle("a", for: 9, isPinned: true), Self.idle("b", for: 9, isPinned: true)]
        guard case .never = limits.decision(bytes: 0, among: pinned) else {
            Issue.record("nobody could ever give way")
            return
        }
    }

    @Test("memory counts as places do") func memory() {
        let limits = ModelRoomPlan.Limits(bytes: 100)
        #expect(limits.decision(bytes: 40, among: [Self.idle("a", for: 9, bytes: 50)]) == .enter)
        #expect(limits.decision(bytes: 60, among: [Self.idle("a", for: 9, bytes: 50)]) == .evict("a"))
        #expect(limits.decision(bytes: 60, among: [Self.busy("a", bytes: 50)]) == .wait)
        for residents in [[], [Self.idle("a", for: 9, bytes: 50, isPinned: true)]] {
            guard case .never(let reason) = limits.decision(bytes: residents.isEmpty ? 101 : 60, among: residents) else {
                Issue.record("it will never fit")
                return
            }
            #expect(reason.contains("100"))
        }
    }

    @Test(
        "how long a model is kept, as Ollama's clients write it",
        arguments: [
            ("5m", KeepAlive.seconds(300)), ("1h30m", .seconds(5400)), ("300ms", .seconds(0.3)), ("0", .seconds(0)), ("-1", .forever),
            ("-1m", .forever), ("12.5", .seconds(12.5)), ("99999h", .forever), ("soon", nil), ("", nil), ("5", .seconds(5)), ("5x", nil),
        ] as [(String, KeepAlive?)]) func keepAlive(text: String, meant: KeepAlive?)
    {
        #expect(KeepAlive(text) == meant)
    }
}
