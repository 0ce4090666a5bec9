"""One image upscaled, from file to file or in memory: examine, adapt, upscale, save.

upscale, upscale_file       files.py: a file is opened as one of four kinds of task
└── FileTask.write          tasks.py; films.py, stacks.py, strips.py: the same for frames, pages, parts
    ├── normalised          channels in [0, 1], see `inference.normalisation`
    ├── estimate            their degradation, where none is given
    ├── adapt               adaptation.py: `adapt_image`, from channels and degradation to an `Adaptation`
    ├── Adaptation.apply    from channels to a `Result`, interpolated where it cannot be trusted
    └── save                the file of the result
"""
