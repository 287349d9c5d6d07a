/// Names of languages as requests write them: BCP 47, or in English as vLLM-Omni does.
enum SpeechLanguage {
    static func isAutomatic(_ language: String) -> Bool { ["", "auto"].contains(language.lowercased()) }

    /// The two-letter code: `en` for `English`, `en-GB` and `en_US`.
    static func code(_ language: String) -> String {
        let name = language.lowercased()
        return codes[name] ?? String(name.replacing("_", with: "-").split(separator: "-").first ?? "en")
    }

    /// espeak-ng's voice for a language.
    static func espeakVoice(_ language: String) -> String {
        let tag = language.lowercased().replacing("_", with: "-")
        let code = code(language)
        let regional = ["en-us", "en-gb", "en-gb-scotland", "pt-br", "es-419", "fr-be", "fr-ch"]
        if regional.contains(tag) { return tag }
        return ["en": "en-us", "zh": "cmn", "fr": "fr-fr", "nb": "nb", "no": "nb"][code] ?? code
    }

    /// The languages that Supertonic has tags for.
    static let supertonic: Set<String> = [
        "en", "ko", "ja", "ar", "bg", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hi", "hr", "hu", "id", "it", "lt", "lv", "nl", "pl",
        "pt", "ro",
        "ru", "sk", "sl", "sv", "tr", "uk", "vi",
    ]

    private static let codes = [
        "english": "en", "chinese": "zh", "japanese": "ja", "korean": "ko", "german": "de", "french": "fr", "russian": "ru",
        "portuguese": "pt",
        "spanish": "es", "italian": "it", "dutch": "nl", "polish": "pl", "turkish": "tr", "arabic": "ar", "hindi": "hi", "ukrainian": "uk",
    ]
}
