import OmniTestSupport

@testable import OmniDiffusion

extension GateLane {
    /// Shuts the engine down, and opens once it takes nothing more: what it ran has been cancelled by then.
    func openOnceStopped(_ engine: DiffusionEngine) async {
        async let stopped: Void = engine.shutdown()
        while (try? await engine.price(EngineTests.request())) != nil { await Task.yield() }
        open()
        await stopped
    }
}
