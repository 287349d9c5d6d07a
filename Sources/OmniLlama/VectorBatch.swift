import CLlama

/// Vectors for one decode in the place of tokens, of any number of sequences, each with its place along one axis or four (M-RoPE).
package final class VectorBatch {
    private struct Row {
        var place: RotaryPlace
        var sequence: Int
        var output: Bool
    }

    package let capacity: Int
    private let width, axes: Int
    private var rows: [Row] = []
    private let values: UnsafeMutablePointer<Float>
    /// One axis after the other, each as long as there are rows.
    private let positions: UnsafeMutablePointer<llama_pos>
    private let sequences: UnsafeMutablePointer<llama_seq_id>
    private let sequenceLists: UnsafeMutablePointer<UnsafeMutablePointer<llama_seq_id>?>
    private let sequenceCounts: UnsafeMutablePointer<Int32>
    private let outputs: UnsafeMutablePointer<Int8>

    /// Room for `capacity` vectors of `width` numbers. With one axis a place is its time.
    package init(capacity: Int, width: Int, axes: Int) {
        (self.capacity, self.width, self.axes) = (capacity, width, axes)
        values = .allocate(capacity: capacity * width)
        positions = .allocate(capacity: capacity * axes)
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
        precondition(vector.count == width)
        return vector.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return count }
            return add(start, place: place, sequence: sequence, output: output)
        }
    }

    /// The same with as many numbers as a vector has, from `vector` on.
    @discardableResult
    package func add(_ vector: UnsafePointer<Float>, place: RotaryPlace, sequence: Int, output: Bool) -> Int {
        precondition(room > 0)
        (values + rows.count * width).update(from: vector, count: width)
        rows.append(Row(place: place, sequence: sequence, output: output))
        return rows.count - 1
    }

    package var raw: llama_batch {
        let count = rows.count
        for (index, row) in rows.enumerated() {
            positions[index] = row.place.time
            if axes > 1 {
                positions[count + index] = row.place.height
                positions[2 * count + index] = row.place.width
                positions[3 * count + index] = row.place.other
            }
            sequences[index] = Int32(clamping: row.sequence)
            outputs[index] = row.output ? 1 : 0
        }
        return llama_batch(
            n_tokens: Int32(clamping: count), token: nil, embd: values, pos: positions, n_seq_id: sequenceCounts, seq_id: sequenceLists,
            logits: outputs)
    }
}
