import CLlama

/// A place along the axes that a model with M-RoPE counts: time, height, width, and one that is not used.
package struct RotaryPlace: Sendable, Equatable {
    package var time, height, width, other: Int32

    package init(time: Int32, height: Int32, width: Int32, other: Int32 = 0) {
        (self.time, self.height, self.width, self.other) = (time, height, width, other)
    }

    /// Of text: the same along all axes.
    package init(_ position: Int32) { self.init(time: position, height: position, width: position) }
}

/// Vectors for one decode in the place of tokens, each with its place along several axes (M-RoPE).
package final class PlacedVectorBatch {
    private struct Row {
        var place: RotaryPlace
        var sequence: Int
        var output: Bool
    }

    package let capacity: Int
    private let width: Int
    private var rows: [Row] = []
    private let values: UnsafeMutablePointer<Float>
    /// One axis after the other, each as long as there are rows.
    private let positions: UnsafeMutablePointer<llama_pos>
    private let sequences: UnsafeMutablePointer<llama_seq_id>
    private let sequenceLists: UnsafeMutablePointer<UnsafeMutablePointer<llama_seq_id>?>
    private let sequenceCounts: UnsafeMutablePointer<Int32>
    private let outputs: UnsafeMutablePointer<Int8>

    /// Room for `capacity` vectors of `width` numbers.
    package init(capacity: Int, width: Int) {
        (self.capacity, self.width) = (capacity, width)
        values = .allocate(capacity: capacity * width)
        positions = .allocate(capacity: capacity * 4)
        sequences = .allocate(capacity: capacity)
        sequenceLists = .allocate(capacity: capacity)
        sequenceCounts = .allocate(capacity: capacity)
        outputs = .allocate(capacity: capacity)
        sequenceCounts.initialize(repeating: 1, count: capacity)
        for index in 0..<capacity { (sequenceLists + index).initialize(to: sequences + index) }
    }

    deinit {
        values.deallocate()
        positions.deallocate()
        sequences.deallocate()
        sequenceLists.deallocate()
        sequenceCounts.deallocate()
        outputs.deallocate()
    }

    package var count: Int { rows.count }
    package var room: Int { capacity - count }

    package func clear() { rows.removeAll(keepingCapacity: true) }

    /// Returns the entry's index. The caller has made sure that there is room, and that `vector` is as wide as the batch.
    @discardableResult
    package func add(_ vector: [Float], place: RotaryPlace, sequence: Int, output: Bool) -> Int {
        precondition(vector.count == width && room > 0)
        vector.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            (values + rows.count * width).update(from: start, count: width)
        }
        rows.append(Row(place: place, sequence: sequence, output: output))
        return rows.count - 1
    }

    var raw: llama_batch {
        let count = rows.count
        for (index, row) in rows.enumerated() {
            positions[index] = row.place.time
            positions[count + index] = row.place.height
            positions[2 * count + index] = row.place.width
            positions[3 * count + index] = row.place.other
            sequences[index] = Int32(clamping: row.sequence)
            outputs[index] = row.output ? 1 : 0
        }
        return llama_batch(
            n_tokens: Int32(clamping: count), token: nil, embd: values, pos: positions, n_seq_id: sequenceCounts, seq_id: sequenceLists,
            logits: outputs)
    }
}
