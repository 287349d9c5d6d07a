/// Values of `x-ignored-params`: names with commas between them.
package enum IgnoredParams {
    /// All of their names, each once and in their order; nil for none.
    package static func joined(_ headers: String?...) -> String? {
        var seen = Set<Substring>()
        let names = headers.compactMap(\.self).flatMap { $0.split(separator: ",") }.filter { seen.insert($0).inserted }
        return names.isEmpty ? nil : names.joined(separator: ",")
    }
}
