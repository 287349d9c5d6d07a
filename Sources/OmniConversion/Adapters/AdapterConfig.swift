import Foundation
import OmniAPI

/// `adapter_config.json` of an adapter as PEFT writes it. What libllama would not compute is refused by name.
struct AdapterConfig {
    private let config: Config
    private let alpha: Double
    private let alphas: [(module: String, alpha: Double)]

    init(folder: String) throws(ConversionError) {
        let path = "\(folder)/adapter_config.json"
        guard let json = try Checkpoint.json(path) else { throw ConversionError(.missing, path, "It is not there.") }
        guard let object = json.objectValue else { throw ConversionError(.damaged, path, "It is no JSON object.") }
        let config = Config(object, path: path)
        self.config = config
        try config.require("peft_type", "LORA")
        for (key, allowed) in Self.plain { try config.require(key, allowed) }
        for key in Self.additions where !(config[key].map(Self.isEmpty) ?? true) {
            throw config.unsupported("\(key) is given, and cannot be run.")
        }
        if let start = config["init_lora_weights"]?.stringValue, !Self.starts.contains(start) {
            throw config.unsupported("init_lora_weights is \(start), which changes the model's own weights too.")
        }
        alpha = try config.number("lora_alpha")
        guard alpha != 0 else { throw config.unsupported("lora_alpha is 0.") }
        let patterns = config["alpha_pattern"]?.objectValue?.members ?? []
        alphas = try patterns.map { pattern throws(ConversionError) in
            // A regular expression names modules by other means than their ends.
            guard pattern.key.allSatisfy({ $0.isLetter || $0.isNumber || "._".contains($0) }), let own = pattern.value.doubleValue else {
                throw config.unsupported("alpha_pattern has the entry \(pattern.key), which is no plain name with a number.")
            }
            return (pattern.key, own)
        }
    }

    /// Ways of changing a weight beside low rank, and the value that stands for none.
    private static let plain: [(String, JSONValue)] = [
        ("use_dora", false), ("use_qalora", false), ("bias", "none"), ("lora_bias", false), ("fan_in_fan_out", false),
    ]
    /// What is trained beside, and what adapters are put together from.
    private static let additions = [
        "modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication", "alora_invocation_tokens",
        "invocation_string", "megatron_config", "arrow_config", "use_bdlora", "velora_config", "monteclora_config",
    ]
    /// Beginnings that leave the model's weights as they are.
    private static let starts: Set<String> = ["gaussian", "orthogonal", "eva"]

    private static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false): true
        case .array(let items): items.isEmpty
        case .object(let members): members.members.isEmpty
        case .string(let text): text.isEmpty
        default: false
        }
    }

    /// What stands for `alpha` in alpha / rank, which is how libllama scales the change of a module of that rank.
    func alpha(of module: String, rank: Int) -> Double {
        let own = alphas.first { module == $0.module || module.hasSuffix(".\($0.module)") }?.alpha ?? alpha
        return config.flag("use_rslora") ? own * Double(rank).squareRoot() : own
    }

    /// A file has one alpha for all modules.
    func severalAlphas(_ found: Set<Double>) -> ConversionError {
        let cause = alphas.isEmpty ? "use_rslora with several ranks" : "alpha_pattern"
        return config.unsupported("\(cause) makes changes of \(found.count) scales, and one can be run.")
    }
}
