import Foundation
import OmniEngine
import Testing

@testable import OmniTensor
@testable import OmniToken2Wav

/// Each stage against transformers, f32, nothing rounded.
@Suite struct ParityTests {
    static let bound = 1e-3

    @Test func voicesAreThePublishedOnes() throws {
        let model = try Fixture.model.get()
        #expect(model.voices == [Token2WavVoice(name: "Chelsie", beginToken: 632), Token2WavVoice(name: "Ethan", beginToken: 630)])
        #expect(try model.voice(named: "ethan").name == "Ethan" && model.voice(named: "f030").name == "Chelsie")
        #expect(throws: Token2WavError.unknownVoice("Bob", known: ["Chelsie", "Ethan"])) { try model.voice(named: "Bob") }
        #expect(model.sampleRate == 24_000 && model.samplesPerCode == 480 && model.codesPerSecond == 50 && model.codeCount == 97)
    }

    @Test func voicesAreEncoded() throws {
        let model = try Fixture.model.get()
        for name in ["Chelsie", "Ethan"] {
            #expect(relativeError(try model.speaker(name).encoded, try Fixture.golden("encoder.\(name)")) < Self.bound, "\(name)")
        }
        #expect(relativeError(model.encodedSilence, try Fixture.golden("encoder.none")) < Self.bound)
    }

    @Test func noiseIsTorchs() throws {
        var noise = NoiseLine(seed: Fixture.seed, bands: 80)
        #expect(relativeError(noise(0..<3), try Fixture.golden("noise")) < 1e-5)
        var others = NoiseLine(seed: Fixture.seed, bands: 80)
        #expect(others(0..<1) + others(1..<2) + others(2..<3) == noise(0..<3))
        #expect(others(2..<5).prefix(80) == noise(2..<3)[...])
    }

    @Test func oneEvaluationIsTheReferences() throws {
        let model = try Fixture.model.get()
        let codes = Array(try Fixture.codes().prefix(Fixture.short))
        let (executor, scope) = (try Executor(model.backend), ComputeScope())
        let voice = try model.speaker("Chelsie")
        let zeros = [Float](repeating: 0, count: voice.condition.count)
        let x = try Fixture.golden("velocity.x")
        // Other tests compute with the model, too.
        let found = try model.alone {
            let conditions = try [
                model.transformer.conditions(executor, scope, codes: codes, encoded: voice.encoded, voice: voice.condition),
                model.transformer.conditions(
                    executor, scope, codes: [Int32](repeating: 0, count: codes.count), encoded: model.encodedSilence, voice: zeros),
            ]
            let modulations = try model.time(executor, scope, times: [0.1, 0.357])
            return try executor.evaluate(scope) { graph in
                [try model.transformer(graph, latents: x, conditions: conditions, modulations: modulations, time: 1)]
            }[0]
        }
        #expect(relativeError(found, try Fixture.golden("velocity.out")) < Self.bound)
    }

    @Test(arguments: [
        ("mel.rk4", Token2WavSettings(seed: Fixture.seed)),
        ("mel.rk4.plain", Token2WavSettings(steps: 4, guidance: 0, seed: Fixture.seed)),
        ("mel.euler", Token2WavSettings(solver: .euler, steps: 5, guidance: 0, seed: Fixture.seed)),
    ])
    func spectrogramsAreTheReferences(_ golden: String, settings: Token2WavSettings) throws {
        let model = try Fixture.model.get()
        let codes = Array(try Fixture.codes().prefix(Fixture.short))
        var (noise, report) = (NoiseLine(seed: settings.seed, bands: 80), Token2WavReport())
        let run = try FlowRun(model, settings, ComputeScope())
        let mel = try run.spectrogram(codes, model.speaker("Chelsie"), noise: noise(0..<2 * codes.count), &report)
        #expect(relativeError(mel, try Fixture.golden(golden)) < Self.bound)
        #expect(report.evaluations == (settings.solver == .euler ? 5 : 4 * (settings.steps - 1)))
    }

    @Test func theVocoderIsTheReferences() throws {
        let model = try Fixture.model.get()
        var report = Token2WavReport()
        let wave = try FlowRun(model, Token2WavSettings(), ComputeScope()).sound(try Fixture.golden("vocoder.mel"), &report)
        #expect(relativeError(wave, try Fixture.golden("vocoder.wave")) < Self.bound)
    }

    @Test func theWaveIsTheReferences() throws {
        let codes = Array(try Fixture.codes().prefix(Fixture.short))
        let wave = try Fixture.model.get().decode(codes, voice: "Chelsie")
        let reference = try Fixture.golden("wave")
        #expect(relativeError(wave, reference) < Self.bound && decibels(wave, reference) > 45)
    }

    @Test func roundingStaysNear() throws {
        let codes = Array(try Fixture.codes().prefix(Fixture.short))
        let wave = try Fixture.fastModel.get().decode(codes, voice: "Chelsie")
        #expect(decibels(wave, try Fixture.golden("wave")) > 25)
    }

    /// Graphs as a GPU gets them.
    @Test func operationsOfGGMLMakeTheSame() throws {
        let options = Fixture.options()
        let model = try Token2Wav(folder: Fixture.folder, options: options, backend: Backend(threads: 2, useGPU: false, ownKernels: false))
        let codes = Array(try Fixture.codes().prefix(Fixture.short))
        let settings = Token2WavSettings(solver: .euler, steps: 5, guidance: 0, seed: Fixture.seed)
        let wave = try model.decode(codes, voice: "Chelsie", settings: settings)
        #expect(decibels(wave, try Fixture.model.get().decode(codes, voice: "Chelsie", settings: settings)) > 45)
    }
}
