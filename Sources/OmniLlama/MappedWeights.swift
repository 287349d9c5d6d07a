import Foundation

/// Pages of a model's file that this process holds because it has mapped it.
enum MappedWeights {
    /// Takes every page of the files at `path` out of this process. What is used of them comes back from the system's file cache as it
    /// is touched: weights that were copied into another layout for a kernel do not, nor rows of embeddings that nobody asks for.
    static func release(_ path: String) {
        #if os(Linux)
            let file = URL(filePath: path).resolvingSymlinksInPath().path
            guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
            for range in ranges(of: file, in: maps) {
                if let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound) { madvise(start, range.count, MADV_DONTNEED) }
            }
        #endif
    }

    /// The addresses at which a file is mapped for reading alone: `7f00-7f10 r--s 00000000 08:01 1234   /path`. Of a model in several
    /// files (`…-00001-of-00003.gguf`) all of them.
    static func ranges(of file: String, in maps: String) -> [Range<UInt>] {
        let parts = file.firstMatch(of: /^(.*)-\d{5}(-of-\d{5}\.gguf)$/).map { (String($0.output.1) + "-", String($0.output.2)) }
        func isMeant(_ path: Substring) -> Bool {
            path == file || parts.map { path.hasPrefix($0.0) && path.hasSuffix($0.1) } ?? false
        }
        return maps.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[1].hasPrefix("r-"), isMeant(fields[5].drop { $0 == " " }) else { return nil }
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }
    }
}
