import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniMedia
import OmniSpeech
import Testing

/// The starter voice, loaded once for all tests: as it is, and without noise.
enum StarterVoice {
    static let folder = "\(home)/models/joe"

    private static var home: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["OMNI_HOME"] ?? "\(environment["XDG_DATA_HOME"] ?? "\(NSHomeDirectory())/.local/share")/omni"
    }

    /// Says so on the screen when the voice is missing: those tests prove nothing then.
    static let isThere: Bool = {
        let found = FileManager.default.fileExists(atPath: "\(folder)/en_US-joe-medium.onnx")
        if !found { FileHandle.standardError.write(Data("SKIPPED: no starter voice in \(folder); run omni setup\n".utf8)) }
        return found
    }()

    private static let natural = Task { try await load(SpeechOptions()) }
    private static let quiet = Task { try await load(SpeechOptions(noiseScale: 0, noiseScaleW: 0)) }

    static func engine(quiet isQuiet: Bool = false) async throws -> SpeechEngine { try await (isQuiet ? quiet : natural).value }

    static func load(_ options: SpeechOptions) async throws -> SpeechEngine {
        try await SpeechEngine.load(folder: folder, options: options, logger: Logger(label: "speech"))
    }
}

/// Everything that came out of one synthesis.
struct Heard {
    var samples: [Float] = []
    var units: [SpeechUnit] = []
    var usage: SpeechUsage?
    var sampleRate = 0
    var ignored: [String] = []
    /// From the call to the first sound.
    var firstSound: Duration?

    var clip: AudioClip { AudioClip(samples: samples, sampleRate: sampleRate) }
    /// Root of the mean square.
    var level: Float { samples.isEmpty ? 0 : (samples.reduce(0) { $0 + $1 * $1 } / Float(samples.count)).squareRoot() }
}

extension SpeechModel {
    func hear(_ request: SpeechSynthesis, scope: RequestScope = RequestScope(id: "test")) async throws -> Heard {
        let began = ContinuousClock.now
        let generation = try await speak(request, scope: scope)
        var heard = Heard(sampleRate: generation.sampleRate, ignored: generation.ignored)
        for try await event in generation.events {
            switch event {
            case .audio(let samples):
                if heard.firstSound == nil { heard.firstSound = ContinuousClock.now - began }
                heard.samples += samples
            case .unit(let unit): heard.units.append(unit)
            case .usage(let usage): heard.usage = usage
            }
        }
        return heard
    }

    func hear(_ text: String) async throws -> Heard { try await hear(SpeechSynthesis(text: text)) }
}
