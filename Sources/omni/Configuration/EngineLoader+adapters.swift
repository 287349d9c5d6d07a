import OmniConversion
import OmniText

extension EngineLoader {
    /// Lets the model whose GGUF is at `path` take adapters, where the server does.
    func setAdapters(base path: String, in options: inout TextEngineOptions) {
        guard let most = command.maxLoras, let folder = command.conversionDir else { return }
        let library = AdapterLibrary(folder: folder, maxRank: command.maxLoraRank, logger: logger) { () throws(ConversionError) in
            try AdapterBase(gguf: path)
        }
        options.maxAdapters = most
        options.adapterFile = { try await library.file(of: $0) }
    }
}
