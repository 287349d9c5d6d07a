import OmniAPI

/// Makes of a unit what the model reads. For one thread at a time.
final class SpeechFrontEnd {
    private let phonemizer: Phonemizer?
    private let table: SymbolTable?

    /// Both nil for models that read text themselves.
    init(phonemizer: Phonemizer?, table: SymbolTable?) {
        self.phonemizer = phonemizer
        self.table = table
    }

    func prepare(_ text: String, espeakVoice: String?) throws -> PreparedUnit<SherpaUtterance.Input> {
        guard let phonemizer, let table, let espeakVoice else {
            let isSpoken = text.contains { $0.isLetter || $0.isNumber }
            return PreparedUnit(script: isSpoken ? .text(text) : nil, symbols: text.unicodeScalars.count)
        }
        let phonemes = try PhonemeText(text, table: table) { try phonemizer.phonemes($0, voice: espeakVoice) }
        return PreparedUnit(
            script: phonemes.isSilent ? nil : .phonemes(phonemes.codepoints), symbols: phonemes.symbols.count, dropped: phonemes.dropped)
    }
}
