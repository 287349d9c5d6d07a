import OmniEngine
import OmniTensor

/// What one utterance computes with: an executor of its own, and the schedule of its settings.
final class FlowRun {
    private let model: Token2Wav
    private let settings: Token2WavSettings
    private let scope: ComputeScope
    private let schedule: FlowSchedule
    private let executor: Executor

    init(_ model: Token2Wav, _ settings: Token2WavSettings, _ scope: ComputeScope) throws {
        (self.model, self.settings, self.scope) = (model, settings, scope)
        schedule = FlowSchedule(settings)
        executor = try Executor(model.backend, capacity: 32_768)
    }

    /// Graphs that one of these would run, at most, in bytes.
    func price(frames: Int) throws -> GraphPrice {
        let flow = model.transformer.config
        let branches = settings.guides ? 2 : 1
        let modulations = Modulations(layers: [[Float](repeating: 0, count: 6 * flow.hidden * flow.layers)], last: [[]])
        let velocity = try executor.price { graph in
            [
                try model.transformer(
                    graph, latents: [Float](repeating: 0, count: frames * flow.mel),
                    conditions: [[Float]](repeating: [], count: branches), modulations: modulations, time: 0)
            ]
        }
        let sound = try executor.price { graph in [try model.vocoder(graph, graph.placeholder([flow.mel, frames], .f32))] }
        return velocity.then(sound)
    }

    /// The spectrogram `[mel, frames]` of codes: the flow from `noise` to its end.
    func spectrogram(_ codes: [Int32], _ voice: Token2Wav.Speaker, noise: [Float], _ report: inout Token2WavReport) throws -> [Float] {
        let start = ContinuousClock.now
        defer { report.ditSeconds += start.duration(to: .now).seconds }
        let modulations = try model.modulations(schedule, executor, scope)
        var conditions = [try condition(codes, encoded: voice.encoded, condition: voice.condition)]
        if settings.guides {
            let none = [Int32](repeating: 0, count: codes.count)
            let zeros = [Float](repeating: 0, count: voice.condition.count)
            conditions.append(try condition(none, encoded: model.encodedSilence, condition: zeros))
        }
        return try schedule.solve(noise) { latents, time in
            report.evaluations += 1
            return try velocity(latents, conditions, modulations, time)
        }
    }

    private func condition(_ codes: [Int32], encoded: [Float], condition: [Float]) throws -> [Float] {
        try model.alone(scope) { try model.transformer.conditions(executor, scope, codes: codes, encoded: encoded, voice: condition) }
    }

    private func velocity(_ latents: [Float], _ conditions: [[Float]], _ modulations: Modulations, _ time: Int) throws -> [Float] {
        let all = try model.alone(scope) {
            try executor.evaluate(scope) { graph in
                [try model.transformer(graph, latents: latents, conditions: conditions, modulations: modulations, time: time)]
            }[0]
        }
        guard settings.guides else { return all }
        let (count, scale) = (latents.count, settings.guidance)
        return (0..<count).map { all[$0] + scale * (all[$0] - all[count + $0]) }
    }

    /// Samples of a spectrogram.
    func sound(_ mel: [Float], _ report: inout Token2WavReport) throws -> [Float] {
        let start = ContinuousClock.now
        defer { report.vocoderSeconds += start.duration(to: .now).seconds }
        let bands = model.config.vocoder.mel
        return try model.alone(scope) {
            try executor.evaluate(scope) { graph in [try model.vocoder(graph, graph.input([bands, mel.count / bands], mel))] }[0]
        }
    }
}
