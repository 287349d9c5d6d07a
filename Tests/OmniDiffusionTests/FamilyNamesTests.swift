import Foundation
import OmniEngine
import Testing

@testable import OmniDiffusion

/// A family is named in its folder, in the table, and in the list of what is built; of its single files in two files of its own.
@Suite struct FamilyNamesTests {
    static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")
    static let lists = [
        "OmniEngine/PipelineFamily.swift", "OmniDiffusion/Families/DiffusionFamilies.swift", "OmniSingleFiles/ComponentLayout.swift",
        "OmniSingleFiles/Pipelines/SingleFilePipeline.swift", "OmniSingleFiles/ForeignNetwork.swift",
    ]

    /// `Wan` and `WanBlock`, but not `Want`.
    static func pattern(_ name: String) throws -> Regex<Substring> {
        try Regex("\\b\(NSRegularExpression.escapedPattern(for: name))(?![a-z])", as: Substring.self)
    }

    @Test func everyFamilyThatIsBuiltIsInTheTableWithItsKind() throws {
        for family in DiffusionFamilies.all {
            let known = try #require(PipelineFamily.all.first { $0.name == family.name }, "\(family.name)")
            #expect(known.kind == (family is any ImageFamily.Type ? .image : .video), "\(family.name)")
        }
        #expect(Set(DiffusionFamilies.all.map { $0.name }).count == DiffusionFamilies.all.count)
    }

    @Test func noFamilyIsNamedOutsideItsFolder() throws {
        let files = try #require(FileManager.default.enumerator(atPath: Self.sources.path)).compactMap { $0 as? String }.filter {
            $0.hasSuffix(".swift")
        }
        #expect(files.count > 200)
        for family in DiffusionFamilies.all {
            // ZImageFamily lives in Families/ZImage.
            let type = String("\(family)".split(separator: ".").last ?? "")
            #expect(type.hasSuffix("Family"))
            let folder = String(type.dropLast("Family".count))
            let own = "OmniDiffusion/Families/\(folder)/"
            #expect(files.contains { $0.hasPrefix(own) }, "\(own)")
            let single = ["OmniSingleFiles/Layouts/\(folder)Layout.swift", "OmniSingleFiles/Pipelines/\(folder)Pipeline.swift"]
            let architectures = PipelineFamily.all.first { $0.name == family.name }?.ggufArchitectures ?? []
            let words = try [folder, family.name].map { try Self.pattern($0) }
            for file in files where !file.hasPrefix(own) && !Self.lists.contains(file) && !single.contains(file) {
                let text = try String(contentsOf: Self.sources.appending(path: file), encoding: .utf8)
                for architecture in architectures { #expect(!text.contains("\"\(architecture)\""), "\(architecture) in \(file)") }
                guard text.contains(folder) || text.contains(family.name) else { continue }
                for word in words {
                    let found = text.firstMatch(of: word).map { text[..<$0.startIndex].count { $0 == "\n" } + 1 }
                    #expect(found == nil, "\(family.name) in \(file):\(found ?? 0)")
                }
            }
        }
    }

    @Test func theWordsAreFoundWhereTheyStand() throws {
        let word = try Self.pattern("Wan")
        #expect("the WanBlock of".contains(word) && "a Wan VAE".contains(word))
        #expect(!"Wanted: nobody".contains(word))
    }
}
