import Foundation
import OmniAPI

/// The symbols that a model knows, from its `tokens.txt`.
struct SymbolTable: Sendable {
    private var known: Set<Unicode.Scalar> = []

    /// Lines are `<symbol> <id>`; the line of the space begins with its space. Checked as strictly as sherpa-onnx reads them,
    /// since that ends the process over a bad line.
    init(path: String, singleScalars: Bool) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw APIError.unusableVoice(path, "it is not readable as UTF-8 text")
        }
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            let symbol = parts.count == 1 ? " " : String(parts[0])
            guard (1...2).contains(parts.count), let last = parts.last, Int(last) != nil else {
                throw APIError.unusableVoice(path, "the line “\(line.prefix(40))” is no symbol with its id")
            }
            let scalars = symbol.unicodeScalars
            if scalars.count == 1, let scalar = scalars.first {
                guard known.insert(scalar).inserted || !singleScalars else {
                    throw APIError.unusableVoice(path, "the symbol \(symbol) stands there twice")
                }
            } else if singleScalars, symbol != "<BLNK>" {
                throw APIError.unusableVoice(path, "the symbol \(symbol) has more than one character")
            }
        }
        guard !known.isEmpty else { throw APIError.unusableVoice(path, "it has no symbols") }
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool { known.contains(scalar) }
}
