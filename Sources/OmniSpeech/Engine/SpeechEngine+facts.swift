import Foundation
import OmniEngine

extension SpeechEngine {
    static func voices(_ voice: PreparedVoice, count: Int, name: String) -> [SpeechVoice] {
        let names =
            if voice.speakers.count == count, count > 1 { voice.speakers } else if count > 1 { (0..<count).map { "\(name)-\($0)" } } else {
                [name]
            }
        return names.map { SpeechVoice(name: $0.lowercased(), language: voice.espeakVoice) }
    }

    /// A folder's name without what it shares with others: `vits-piper-en_US-amy-low` is `en_us-amy-low`.
    static func name(of folder: String) -> String {
        let name = (folder as NSString).lastPathComponent.lowercased()
        return ["sherpa-onnx-", "vits-piper-", "vits-"].reduce(name) { $0.hasPrefix($1) ? String($0.dropFirst($1.count)) : $0 }
    }

    static func abilities(_ voice: PreparedVoice, sampleRate: Int, longestText: Int) -> SpeechAbilities {
        let isQuiet =
            switch voice.family {
            case .piper: voice.noiseScale == 0 && voice.noiseScaleW == 0
            case .matcha: voice.noiseScale == 0
            case .kokoro, .kitten, .zipvoice, .pocket, .supertonic: false
            }
        let kind = VoiceKind.onnx(voice.family)
        return SpeechAbilities(
            clones: kind?.clones ?? false, cloningNeedsText: kind?.cloningNeedsText ?? false, honoursSeed: kind?.honoursSeed ?? false,
            isDeterministic: isQuiet, sampleRate: sampleRate, longestText: longestText)
    }
}
