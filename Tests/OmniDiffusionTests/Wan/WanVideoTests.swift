import Foundation
import OmniEngine
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// The pipelines from prompt to frames, at the reference's seeds: latents after each step, and the frames.
@Suite struct WanVideoTests {
    struct Case: CustomStringConvertible, Sendable {
        let checkpoint, name: String
        let seed: UInt64
        let steps: Int
        let guidance: Float
        var change: @Sendable (inout VideoRequest) -> Void = { _ in }
        var description: String { "\(checkpoint) \(name)" }
    }

    static let cases = [
        Case(checkpoint: "t2v", name: "text", seed: 42, steps: 4, guidance: 4) { $0.negativePrompt = WanFixtures.negative },
        Case(checkpoint: "t2v", name: "plain", seed: 43, steps: 3, guidance: 1),
        Case(checkpoint: "t2v", name: "euler", seed: 44, steps: 3, guidance: 2),
        Case(checkpoint: "ti2v", name: "text", seed: 45, steps: 3, guidance: 5) { $0.negativePrompt = WanFixtures.negative },
        Case(checkpoint: "ti2v", name: "picture", seed: 46, steps: 3, guidance: 3),
        Case(checkpoint: "a14b", name: "picture", seed: 47, steps: 5, guidance: 3.5) {
            $0.negativePrompt = WanFixtures.negative
            $0.guidanceScale2 = 2
        },
        Case(checkpoint: "i2v", name: "picture", seed: 48, steps: 3, guidance: 4) { $0.negativePrompt = WanFixtures.negative },
    ]

    static func request(_ test: Case) throws -> VideoRequest {
        var request = VideoRequest(prompt: WanFixtures.prompt, seed: test.seed)
        (request.steps, request.guidanceScale) = (test.steps, test.guidance)
        let goldens = try Goldens("\(test.checkpoint).goldens", in: WanFixtures.root)
        request.frames = try goldens.shape("\(test.name).frames")[3]
        if test.name == "picture" { request.picture = try goldens.image("picture") }
        test.change(&request)
        return request
    }

    static func family(_ folder: String, options: DiffusionOptions = DiffusionOptions()) throws -> (WanFamily, Backend) {
        let backend = try Backend(threads: 2, useGPU: false)
        let checkpoint = try Checkpoint(.folder(folder), backend: backend, options: options) { _ in }
        return (try #require(DiffusionFamilies.videos(checkpoint) as? WanFamily), backend)
    }

    /// Latents after each step, finished latents, and the frames.
    static func video(_ family: WanFamily, _ backend: Backend, _ request: VideoRequest) throws -> (
        steps: [[Float]], latents: [Float], frames: [FloatImage]
    ) {
        let recording = try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend)
        return (recording.steps, recording.latents[0], recording.frames)
    }

    @Test(arguments: cases) func videosEqualTheReference(test: Case) throws {
        let copy = try CheckpointCopy(test.checkpoint, in: WanFixtures.root)
        if test.name == "euler" {
            let scheduler = copy.folder + "/scheduler/scheduler_config.json"
            try FileManager.default.removeItem(atPath: scheduler)
            try FileManager.default.copyItem(atPath: WanFixtures.root + "/schedulers/euler.json", toPath: scheduler)
        }
        let (family, backend) = try Self.family(copy.folder)
        let goldens = try Goldens("\(test.checkpoint).goldens", in: WanFixtures.root)
        let (steps, _, frames) = try Self.video(family, backend, Self.request(test))
        let reference = try goldens["\(test.name).steps"]
        let size = reference.count / max(steps.count, 1)
        #expect(steps.reduce(0) { $0 + $1.count } == reference.count)
        for (index, latents) in steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 1e-3, "step \(index + 1): \(error)")
        }
        let values = frames.flatMap(\.values)
        let distance = peakSignalToNoise(values, try goldens["\(test.name).frames"])
        #expect(distance >= 45, "PSNR \(distance)")
    }

    @Test func bf16WeightsStayNearTheReference() throws {
        let copy = try CheckpointCopy("t2v", in: WanFixtures.root)
        try copy.roundToBF16()
        let (family, backend) = try Self.family(copy.folder)
        let goldens = try Goldens("t2v.goldens", in: WanFixtures.root)
        let (steps, _, frames) = try Self.video(family, backend, Self.request(Self.cases[0]))
        let reference = try goldens["text.steps"]
        let size = reference.count / steps.count
        for (index, latents) in steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 3e-2, "step \(index + 1): \(error)")
        }
        let values = frames.flatMap(\.values)
        let distance = peakSignalToNoise(values, try goldens["text.frames"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    @Test(arguments: [ElementType.q8_0, .q4_0]) func quantizedWeightsVideoNearly(type: ElementType) throws {
        var options = DiffusionOptions()
        options.quantization = ["transformer": type, "text_encoder": type]
        let (family, backend) = try Self.family(WanFixtures.root + "/t2v", options: options)
        let frames = try Self.video(family, backend, Self.request(Self.cases[0])).frames
        let distance = peakSignalToNoise(frames.flatMap(\.values), try Goldens("t2v.goldens", in: WanFixtures.root)["text.frames"])
        #expect(distance >= (type == .q8_0 ? 25 : 12) && distance < 80, "PSNR \(distance)")
    }

    @Test func fastRoundingStaysNearTheReference() throws {
        var options = DiffusionOptions()
        options.rounding = .fast
        let (family, backend) = try Self.family(WanFixtures.root + "/t2v", options: options)
        let frames = try Self.video(family, backend, Self.request(Self.cases[0])).frames
        let distance = peakSignalToNoise(frames.flatMap(\.values), try Goldens("t2v.goldens", in: WanFixtures.root)["text.frames"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    /// Which expert does which step, and what a request can change of it.
    @Test func theSecondExpertTakesOverBelowTheBoundary() throws {
        let (family, backend) = try Self.family(WanFixtures.root + "/a14b")
        func late(_ change: (inout VideoRequest) -> Void) throws -> [Bool] {
            var request = try Self.request(Self.cases[5])
            change(&request)
            let plan = try family.plan(request, PlanningContext(backend: backend))
            let experts = try WanClip(request, family).experts
            return (0..<plan.schedule.steps).map { experts.isLate(plan.schedule.timestep($0)) }
        }
        #expect(try late { _ in } == [false, false, false, true, true])
        #expect(try late { $0.boundaryRatio = 0 } == Array(repeating: false, count: 5))
        #expect(try late { $0.boundaryRatio = 1 } == Array(repeating: true, count: 5))
        let (single, _) = try Self.family(WanFixtures.root + "/t2v")
        #expect(throws: ImageModelError.self) {
            var request = VideoRequest(prompt: "", seed: 1)
            request.boundaryRatio = 0.5
            _ = try single.plan(request, PlanningContext(backend: backend))
        }
    }

    @Test(arguments: [
        ("  a\n\t fox  ", "a fox"), ("&lt;b&gt; &amp;amp; &quot;x&quot;", "<b> & \"x\""),
        ("&#233;t&#xe9; &eacute &notit; &nothing", "été é ¬it; ¬hing"),
        ("“curly” ‘quotes’", "\"curly\" 'quotes'"), ("e\u{301} \u{0}\u{7f}x\u{feff}", "é x"), ("AT&T & co &;", "AT&T & co &;"),
        ("&#0; &#128; &#1114112;", "\u{fffd} € \u{fffd}"),
    ]) func promptsAreCleaned(prompt: String, clean: String) {
        #expect(PromptCleaning.clean(prompt) == clean)
    }
}
