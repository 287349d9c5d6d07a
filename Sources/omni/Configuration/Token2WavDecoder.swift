import OmniAPI
import OmniEngine
import OmniTensor
import OmniToken2Wav

/// Qwen2.5-Omni's `token2wav` as what a talker's codes go to.
struct Token2WavDecoder: CodecDecoder {
    let model: Token2Wav
    /// The compute lane of a stream's thread.
    let makeLane: @Sendable () throws -> any ComputeLane

    var sampleRate: Int { model.sampleRate }
    var codeCount: Int { model.codeCount }
    var voices: [CodecVoice] { model.voices.map(CodecVoice.init) }
    var weightBytes: Int { model.weightBytes }

    func voice(named name: String) -> CodecVoice? { (try? model.voice(named: name)).map(CodecVoice.init) }

    func check(_ settings: CodecSettings) throws { _ = try told { try own(settings) } }

    func stream(_ voice: CodecVoice, settings: CodecSettings, cancellation: CancellationToken) throws -> any CodecStream {
        try told {
            let scope = ComputeScope(lane: try makeLane(), cancellation: cancellation)
            return Stream(stream: try model.stream(voice: voice.name, settings: try own(settings), scope: scope))
        }
    }

    /// The model's settings with those of a request in their place.
    private func own(_ settings: CodecSettings) throws -> Token2WavSettings {
        var own = model.defaults
        if let name = settings.solver {
            guard let solver = Token2WavSettings.Solver(rawValue: name) else {
                throw APIError.invalid(
                    "body.token2wav_solver", "There is no solver `\(name.prefix(32))`.",
                    remedy: "Known are: \(Token2WavSettings.Solver.known).")
            }
            own.solver = solver
        }
        own.steps = settings.steps ?? own.steps
        own.guidance = settings.guidance.map { Float($0) } ?? own.guidance
        own.seed = settings.seed.map { UInt64(bitPattern: Int64($0)) } ?? own.seed
        try own.check()
        return own
    }

    private struct Stream: CodecStream {
        let stream: Token2WavStream

        func append(_ codes: [Int32]) throws -> [Float] { try told { try stream.append(codes) } }
        func finish() throws -> [Float] { try told { try stream.finish() } }
    }
}

extension CodecVoice {
    fileprivate init(_ voice: Token2WavVoice) { self.init(name: voice.name, beginToken: voice.beginToken) }
}

/// The same with errors in the API's words.
private func told<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as Token2WavError {
        if case .invalid(let parameter, let reason) = error {
            throw APIError.invalid("body.\(parameter)", "\(parameter) \(reason).")
        }
        throw APIError(.internalError, "\(error)")
    } catch let error as TensorError {
        throw APIError(.internalError, "The sound could not be made: \(error).")
    }
}
