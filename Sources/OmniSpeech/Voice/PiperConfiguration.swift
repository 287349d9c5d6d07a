import Foundation
import OmniAPI

/// The `.onnx.json` that stands beside a Piper voice.
struct PiperConfiguration: Sendable {
    /// Hz
    var sampleRate: Int
    /// espeak-ng's voice: `en-us`.
    var espeakVoice: String
    var noiseScale: Float
    var noiseScaleW: Float
    var lengthScale: Float
    /// Names of the speakers, in the order of their ids; empty for a single one.
    var speakers: [String]
    var speakerCount: Int
    /// The id of each phoneme.
    var phonemes: [(symbol: String, id: Int)]

    init(path: String) throws {
        func fail(_ reason: String) -> APIError { APIError.unusableVoice(path, reason) }
        let json: JSONValue
        do {
            json = try JSONValue.parse([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        } catch {
            throw fail("it is not readable as JSON (\(error))")
        }
        guard let rate = json["audio"]?["sample_rate"]?.intValue, (4000...192_000).contains(rate) else {
            throw fail("audio.sample_rate is missing")
        }
        guard let map = json["phoneme_id_map"]?.objectValue, !map.isEmpty else { throw fail("phoneme_id_map is missing") }
        sampleRate = rate
        espeakVoice =
            json["espeak"]?["voice"]?.stringValue ?? json["language"]?["code"]?.stringValue?.replacing("_", with: "-").lowercased()
            ?? "en-us"
        let inference = json["inference"]
        noiseScale = Float(inference?["noise_scale"]?.doubleValue ?? 0.667)
        noiseScaleW = Float(inference?["noise_w"]?.doubleValue ?? 0.8)
        lengthScale = Float(inference?["length_scale"]?.doubleValue ?? 1)
        speakerCount = max(1, json["num_speakers"]?.intValue ?? 1)
        let named = (json["speaker_id_map"]?.objectValue?.members ?? []).compactMap { member in
            member.value.intValue.map { ($0, member.key) }
        }
        speakers = named.sorted { $0.0 < $1.0 }.map(\.1)
        phonemes = try map.members.map { member in
            guard let id = member.value[0]?.intValue ?? member.value.intValue else { throw fail("the phoneme \(member.key) has no id") }
            return (member.key, id)
        }
        for symbol in ["_", "^", "$"] where map[symbol] == nil { throw fail("the symbol \(symbol) is missing in phoneme_id_map") }
    }

    /// The contents of the `tokens.txt` that sherpa-onnx wants: `<symbol> <id>` on each line, symbols of one character.
    var tokenTable: String {
        phonemes.filter { $0.symbol.unicodeScalars.count == 1 && $0.symbol != "\n" }.map { "\($0.symbol) \($0.id)\n" }.joined()
    }

    /// The metadata that sherpa-onnx wants in the model itself.
    var metadata: [(key: String, text: String)] {
        [
            ("model_type", "vits"), ("comment", "piper"), ("language", espeakVoice), ("voice", espeakVoice), ("has_espeak", "1"),
            ("n_speakers", "\(speakerCount)"), ("sample_rate", "\(sampleRate)"),
        ]
    }
}
