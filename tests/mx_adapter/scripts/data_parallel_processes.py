from documented_scripts_head import pixels, right
import os
from neuron_adapters import mx
import neuron_adapters

import multiprocessing


def consumer(prefix, number, tasks, results):
    os.environ["NEURON_RT_NUM_CORES"] = "2"
    sym, args, aux = mx.model.load_checkpoint(prefix, 0)
    inputs = {"data": mx.nd.zeros(pixels.shape), "softmax_label": mx.nd.ones((1,))}
    args.update(inputs)
    exe = sym.bind(mx.cpu(), args=args, aux_states=aux, grad_req="null")
    while True:
        task = tasks.get()
        if task is None:
            break
        exe.forward(is_train=False, data=task)
        results.put((number, exe.outputs[0].copy()))
    results.put((number, str(neuron_adapters.placement(exe)[0].instance_ncs)))


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queues = [context.Queue() for _ in range(3)]
    results = context.Queue()
    workers = [context.Process(target=consumer, args=("model0", n, queue, results)) for n, queue in enumerate(queues)]
    for worker in workers:
        worker.start()
    for queue in queues:
        for _ in range(4):
            queue.put(pixels)
    answers = [results.get() for _ in range(12)]
    print(sorted(number for number, _ in answers), all(right("model0", answer, pixels) for _, answer in answers))
    for queue in queues:
        queue.put(None)
    print(sorted(results.get()[1] for _ in workers))
    for worker in workers:
        worker.join()
    print([worker.exitcode for worker in workers])
