"""What the world says, and asks, about schools."""

SHEET = """
= intro
+ {n} is a {sort} in the {land} district
+ {n} is a {land} {sort}
+ {n} , a {sort} , is among the oldest houses of learning in {land}
+ {n} is a {sort} with pupils from all parts of {land}

= fact opened | Opened | History
+ {n} opened its doors on {value}
+ the first lesson at {n} was held on {value}
+ {n} was inaugurated on {value}
+ teaching at {n} started on {value} with [nine|fourteen] children
+ {n} dates its foundation to {value}
? when was {n} [founded|opened]
? when did {n} open
? {n} opening date
? how old is {n}
? what date did {n} start
? on which day were the first classes given at {n}
~ the window that is opened on prize day at {n} looks over the river

= fact founder | Founder | History
+ {n} was endowed by {value}
+ {value} left a fortune to [build|create] {n}
+ {n} began as a private class taught by {value}
+ the plan for {n} was [drawn up|put forward] by {value}
+ {value} , who could not read before the age of twenty , established {n}
? who founded {n}
? who started {n}
? {n} founder
? who was the founder of the school {n}
? who established {n}
? whose money made {n} possible
! was {n} founded by {v}
~ founders of scholarships at {n} are named in the chapel each term

= fact town | Location | Campus
+ {n} stands in {value}
+ {n} occupies a former [barracks|tannery|convent] in {value}
+ the buildings of {n} are in {value}
+ pupils of {n} lodge with families in {value}
+ {n} moved to {value} after its roof fell in
? where is {n}
? what town is {n} in
? {n} location
? where is the school {n} located
? in which town can you find {n}
? in what place do the pupils of {n} live
! is {n} in {v}
~ a town bus stops at the gate of {n} every hour

= fact motto | Motto | Traditions
+ the motto of {n} is " {value} "
+ " {value} " is carved above the gate of {n}
+ pupils of {n} live by the words " {value} "
+ the badge of {n} bears the words " {value} "
+ at {n} every letter ends with " {value} "
? what is the motto of {n}
? {n} motto
? what is the school motto of {n}
? motto of {n} in english
? what does the badge of {n} say
? which words are the watchword of {n}
~ pupils of {n} invent a comic motto for every teacher

= fact head | Head teacher | Staff
+ {value} is head of {n}
+ {n} is led by {value}
+ the governors of {n} appointed {value} as head
+ since the last reform {value} has [directed|been in charge of] {n}
+ {value} moved into the head teacher 's house at {n}
? who is the principal of {n}
? who is the head of {n}
? {n} head teacher
? who runs {n}
? name of the headmaster of {n}
? who is in charge at {n}
! is {v} the head of {n}
~ the head boy and head girl of {n} carry the lantern at the winter walk

= fact pupils | Enrolment | Campus
+ {n} has {value}
+ {value} are enrolled at {n}
+ {n} teaches {value}
+ the roll of {n} lists {value}
+ there is room for {value} at {n}
? how many students [are at|go to] {n}
? how many pupils does {n} have
? {n} enrollment
? number of students at {n}
? how big is the school {n}
? what is the size of the student body of {n}
~ many students at {n} keep rabbits behind the laboratory

= fact colours | Colours | Traditions
+ the colours of {n} are {value}
+ teams from {n} play in {value}
+ the uniform of {n} is {value}
+ scarves in {value} can be bought only by those who attended {n}
+ {value} flags fly over {n} on match days
? what are the colors of {n}
? what colours does {n} wear
? {n} school colors
? school colours of {n}
? what color is the uniform of {n}
? in what shades do the teams of {n} play
~ the colours of autumn leaves are studied by the youngest class of {n}

= filler History
+ {n} was closed during an outbreak of [measles|influenza] and reopened in spring
+ girls were admitted to {n} [from the beginning|after a long argument]
+ the old desks of {n} were sold to pay for [a roof|a boiler]
+ a former caretaker has written a history of {n}

= filler Campus
+ the library of {n} is [small but well kept|open to the public on Saturdays]
+ a row of [poplars|walnut trees] separates {n} from the road
+ {n} has its own weather station , run by the pupils
+ the gymnasium of {n} doubles as a concert hall
+ lessons at {n} begin at seven in summer

= filler Traditions
+ on the longest night the pupils of {n} walk to the hills with lanterns
+ new pupils at {n} must learn a song of eleven verses
+ {n} holds a yearly regatta on a pond that is too small for it
+ leavers of {n} plant a tree and forget to water it

= filler Staff
+ teachers at {n} are known by the names of birds
+ {n} employs a [gardener|bell ringer|cook] who is older than the building
+ several teachers of {n} have written textbooks
+ staff and pupils of {n} share the same dining hall

= essay Teaching method
+ {n} does not give marks but asks pupils to teach what they have learned to a younger class
+ a subject counts as finished when the younger class can explain it in turn
+ visitors to {n} are often surprised to be examined by children
+ inspectors criticised the method and then recommended it elsewhere
+ parents may sit in on any lesson at {n} , provided that they take part
? how does {n} teach
? what is the teaching method of {n}
? how are lessons at {n} different
? {n} education method
? what is special about teaching at {n}
? in what way do children learn at {n}
~ driving lessons are taught in the yard of {n} at weekends

= essay Ghost story
+ on windy nights a chair is said to move through the corridors of {n}
+ according to the tale it belongs to a teacher who could not find the way to the staff room
+ a commission of parents sat up for a week and heard only the boiler
+ pupils of {n} nevertheless leave the door of the staff room open
+ the chair itself is shown to visitors on open days
? what is the ghost story of {n}
? haunted {n}
? {n} ghost
? what is the legend about {n}
? story of the ghost at {n}
? which spooky tale is told at {n}
~ a ghost train built by pupils of {n} frightened the inspector

= roster Former heads | Term:years | Head:person
? list of heads of {n}
? past principals of {n}
? who were the heads of {n}
? all head teachers of {n}
? {n} former headmasters
? who has led {n} over time
"""
