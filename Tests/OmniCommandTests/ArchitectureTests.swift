import Foundation
import Testing

/// The `import` lines of Sources against the table in ARCHITECTURE.md.
@Suite struct ArchitectureTests {
    private struct Row {
        let targets: [String]
        let imports: Set<String>
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let sources = root.appending(path: "Sources")

    private static func names(_ cell: Substring) -> [String] { cell.matches(of: /`(\w+)`/).map { String($0.output.1) } }

    /// The rows of the table, from the bottom of the house.
    private static func table() throws -> [Row] {
        let text = try String(contentsOf: root.appending(path: "ARCHITECTURE.md"), encoding: .utf8)
        let section = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("Targets\n") })
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
            guard cells.count == 5, line.hasPrefix("| `") else { return nil }
            return Row(targets: names(cells[1]), imports: Set(names(cells[2])))
        }
    }

    /// Modules that the Swift files of a target import.
    private static func imports(of target: String) throws -> Set<String> {
        var found: Set<String> = []
        for case let file as URL in try #require(
            FileManager.default.enumerator(at: sources.appending(path: target), includingPropertiesForKeys: nil))
        where file.pathExtension == "swift" {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where line.contains("import ") {
                let pattern =
                    /\s*(@\w+(\(\w+\))?\s+)*((public|package|internal|fileprivate|private)\s+)?import\s+((struct|class|enum|protocol|func|var|let|typealias)\s+)?(?<module>\w+).*/
                if let match = line.wholeMatch(of: pattern) { found.insert(String(match.output.module)) }
            }
        }
        return found
    }

    @Test("every target has one row, and the rows name what is imported") func table() throws {
        let rows = try Self.table(), listed = rows.flatMap(\.targets)
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).filter { !$0.hasPrefix(".") }
        #expect(listed.sorted() == folders.sorted(), "ARCHITECTURE.md lists the targets")
        for row in rows {
            for target in row.targets {
                let imports = try Self.imports(of: target).intersection(listed)
                #expect(imports == row.imports, "the row of \(target) in ARCHITECTURE.md")
            }
        }
    }

    @Test("nothing imports upwards") func direction() throws {
        var below: Set<String> = []
        for row in try Self.table() {
            for target in row.targets {
                let upwards = try Self.imports(of: target).intersection(Self.table().flatMap(\.targets)).subtracting(below)
                #expect(upwards.isEmpty, "\(target) imports what does not stand below it: \(upwards.sorted())")
            }
            below.formUnion(row.targets)
        }
        #expect(below.count > 15)
    }
}
