from osform.cli import main

main()
